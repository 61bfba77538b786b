// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFile>

namespace pha::test {

/// What a panel saved under that name; empty if it saved nothing.
inline QByteArray savedAt(const QString& path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

} // namespace pha::test
