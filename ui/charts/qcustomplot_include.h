// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

// The only way into QCustomPlot. Its header is written with Qt's keywords, which this program turns off
// (QT_NO_KEYWORDS): they are lent to it for the length of one include and given back.
#include <QObject>

#pragma push_macro("signals")
#pragma push_macro("slots")
#pragma push_macro("emit")
#pragma push_macro("foreach")
#undef signals
#undef slots
#undef emit
#undef foreach
#define signals Q_SIGNALS
#define slots Q_SLOTS
#define emit Q_EMIT
#define foreach Q_FOREACH

#include <qcustomplot.h> // IWYU pragma: export

#pragma pop_macro("foreach")
#pragma pop_macro("emit")
#pragma pop_macro("slots")
#pragma pop_macro("signals")
