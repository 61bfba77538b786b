// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "tests/suite.h"
#include "ui/format.h"

#include <QtTest>

#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>

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

    void anExceptionIsOneLine_data()
    {
        using Thrown = std::shared_ptr<std::exception>;
        QTest::addColumn<Thrown>("thrown");
        QTest::addColumn<QString>("line");
        const std::string much(2000, 'x');
        const auto cut = [](QString line) { return line.leftJustified(899, QLatin1Char('x')) + QChar(0x2026); };
        QTest::newRow("ours") << Thrown(std::make_shared<DataError>("a\nb.txt", "no text", "choose another"))
                              << QStringLiteral("a b.txt: no text; choose another");
        QTest::newRow("foreign") << Thrown(std::make_shared<std::runtime_error>("no such operator\nframe #0: ..."))
                                 << QStringLiteral("no such operator");
        QTest::newRow("ours, long") << Thrown(std::make_shared<Error>("a\n" + much, "b")) << cut("a ");
        QTest::newRow("foreign, long") << Thrown(std::make_shared<std::runtime_error>(much + "\nb")) << cut("");
    }
    void anExceptionIsOneLine()
    {
        QFETCH(const std::shared_ptr<std::exception>, thrown);
        QTEST(ui::errorLine(*thrown), "line");
    }
};

PHA_TEST(FormatTest)
#include "format_test.moc"
