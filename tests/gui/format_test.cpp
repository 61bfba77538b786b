// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/text.h"
#include "tests/suite.h"
#include "ui/format.h"

#include <QtTest>

#include <cmath>

using namespace pha;

class FormatTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aDurationReadsAsInTheTerminal()
    {
        for (const double seconds : { 0.42, 48.0, 112.0, 3600.0, 7500.0, 273600.0 })
            QCOMPARE(ui::formatDuration(seconds), QString::fromStdString(pha::formatDuration(seconds)));
        QCOMPARE(ui::formatDuration(112), QStringLiteral("1 min 52 s"));
        for (const double none : { -1.0, std::nan(""), HUGE_VAL })
            QCOMPARE(ui::formatDuration(none), QStringLiteral(u"\u2013"));
    }
};

PHA_TEST(FormatTest)
#include "format_test.moc"
