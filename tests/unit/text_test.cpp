// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/text.h"
#include "tests/suite.h"

#include <QTest>

#include <limits>

using namespace pha;

namespace {

QString qt(const std::string& text) { return QString::fromStdString(text); }

} // namespace

class TextTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void strictJsonRefuses_data();
    void strictJsonRefuses();
    void strictJsonAccepts();
    void numbers();
    void quotes();
    void figures();
    void words();
};

void TextTest::strictJsonRefuses_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, const QByteArray& text, const char* expected) {
        QTest::newRow(name) << text << expected;
    };
    row("empty", "", "f.json: not valid JSON at line 1, column 1");
    row("duplicate key", R"({"a":1,"a":2})", "f.json: key \"a\" stands twice in one object");
    row("duplicate key inside", R"([{"b":{"a":1,"c":3,"a":2}}])", "key \"a\" stands twice");
    row("escaped duplicate", R"({"a":1,"\u0061":2})", "key \"a\" stands twice");
    row("trailing text", "{} x", "not valid JSON at line 1, column 4");
    row("second document", "{}{}", "not valid JSON");
    row("second line", "{\n  \"a\": ,\n}", "not valid JSON at line 2, column 8");
    row("comment", "{} // no", "not valid JSON");
    row("trailing comma", "[1,]", "not valid JSON");
    row("NaN", "[NaN]", "not valid JSON");
    row("invalid UTF-8", QByteArray("[\"\xff\"]"), "not valid JSON");
    row("lone surrogate", R"(["\ud800"])", "not valid JSON");
    row("beyond double", "[1e999]", "a number in its JSON is too large");
    row("unclosed", "{\"a\":[1", "not valid JSON");
    row("too deep", QByteArray(65, '[') + QByteArray(65, ']'), "nested more than 64 levels deep");
    row("far too deep", QByteArray(5000000, '['), "nested more than 64 levels deep");
    row("deep after a string", "[\"\\\"\"," + QByteArray(64, '[') + QByteArray(65, ']'), "nested more than 64");
}

void TextTest::strictJsonRefuses()
{
    QFETCH(QByteArray, text);
    QFETCH(QString, expected);
    std::string message;
    try {
        (void)parseJsonStrict(text.toStdString(), "f.json");
    } catch (const DataError& error) {
        message = error.what();
    }
    QVERIFY2(message.find(expected.toStdString()) != std::string::npos, message.c_str());
}

void TextTest::strictJsonAccepts()
{
    const auto same = parseJsonStrict(R"({"x":{"a":1},"y":{"a":[{"a":2},{"a":3}]}})", "f");
    QCOMPARE(same["y"]["a"][1]["a"].get<int>(), 3);
    (void)parseJsonStrict(std::string(64, '[') + std::string(64, ']'), "f");
    const auto brackets = parseJsonStrict("{\"a\":\"" + std::string(200, '[') + "\"}", "f");
    QCOMPARE(brackets["a"].get<std::string>().size(), std::size_t(200));
}

void TextTest::numbers()
{
    QCOMPARE(parseNumber(" +1.5e3\n").value(), 1500.0);
    QCOMPARE(parseNumber("-.5").value(), -0.5);
    for (const auto* bad : { "", " ", "+", "+-1", "1,5", "1 2", "inf", "nan", "1e999", "0x10", "1.5f" })
        QVERIFY2(!parseNumber(bad), bad);
    QCOMPARE(parseInteger("-9223372036854775808").value(), std::numeric_limits<std::int64_t>::min());
    QCOMPARE(parseInteger("9007199254740993").value(), std::int64_t(9007199254740993)); // exact beyond 2^53
    QCOMPARE(parseInteger("2.5e1").value(), std::int64_t(25));
    for (const auto* bad : { "", "1.5", "1e18", "9223372036854775808", "0x10", "1_000" })
        QVERIFY2(!parseInteger(bad), bad);
    for (const double value : { 0.1 + 0.2, 3e-4, 1e-16, 1048576.0, 1e308 })
        QCOMPARE(parseNumber(exactNumber(value)).value(), value);
    QCOMPARE(qt(exactNumber(0.0003)), "0.0003");
}

void TextTest::quotes()
{
    QCOMPARE(qt(inQuotes("plain")), "\"plain\"");
    QCOMPARE(qt(inQuotes("a\"b\n\x1b\x7f")), R"("a\"b\n\u001b\u007f")");
    QCOMPARE(qt(inQuotes("\xC2\x9B")), R"("\u009b")");
    QCOMPARE(qt(inQuotes("\xff")), "\"\xEF\xBF\xBD\"");
    QCOMPARE(qt(inQuotes(std::string(200, 'x'))), qt('"' + std::string(55, 'x') + "...\""));
    std::string umlauts;
    for (int i = 0; i < 100; ++i) umlauts += "\xC3\xA4";
    for (const auto& text : { umlauts, "x" + umlauts }) { // whichever byte the cut falls on
        const auto shown = inQuotes(text);
        QVERIFY(shown.size() <= 60 && shown.ends_with("...\""));
        QVERIFY(!qt(shown).contains(QChar::ReplacementCharacter));
    }
}

void TextTest::figures()
{
    QCOMPARE(wholeNumber(-2.7), std::int64_t(-2));
    QCOMPARE(wholeNumber(9.3e18), std::numeric_limits<std::int64_t>::max());
    QCOMPARE(wholeNumber(-9.3e18), std::numeric_limits<std::int64_t>::min());
    QCOMPARE(wholeNumber(std::numeric_limits<double>::quiet_NaN()), std::int64_t(0));
    QCOMPARE(qt(withThousands(1234567)), "1,234,567");
    QCOMPARE(qt(withThousands(-123)), "-123");
    QCOMPARE(qt(withThousands(-1234)), "-1,234");
    QCOMPARE(qt(compactCount(1846300)), "1.85 M");
    QCOMPARE(qt(compactCount(124011392)), "124.01 M");
    QCOMPARE(qt(compactCount(999)), "999");
    QCOMPARE(qt(compactCount(999999)), "1.00 M");
    QCOMPARE(qt(formatBytes(512)), "512 B");
    QCOMPARE(qt(formatBytes(1048576)), "1.00 MiB");
    QCOMPARE(qt(formatBytes(15.6 * 1073741824)), "15.6 GiB");
    QCOMPARE(qt(formatDuration(0.417)), "0.42 s");
    QCOMPARE(qt(formatDuration(9.999)), "10 s");
    QCOMPARE(qt(formatDuration(200)), "3 min 20 s");
    QCOMPARE(qt(formatDuration(3599.6)), "1 h");
    QCOMPARE(qt(formatDuration(7500)), "2 h 5 min");
    QCOMPARE(qt(formatDuration(273600)), "3 d 4 h");
}

void TextTest::words()
{
    QCOMPARE(editDistance("abcd", "abdc"), std::size_t(1));
    QCOMPARE(editDistance("", "abc"), std::size_t(3));
    QCOMPARE(editDistance("kitten", "sitting"), std::size_t(3));
    QCOMPARE(qt(nearestName("x", {})), "");
    QCOMPARE(qt(nearestName("foo", { "data", "steps" })), ""); // nobody meant one of them
    QCOMPARE(qt(nearestName("wikitext-2", { "openwebtext", "wikitext-2-raw" })), "wikitext-2-raw");
    QCOMPARE(splitList(" a , ,b").size(), std::size_t(3));
    QCOMPARE(splitList("  ").size(), std::size_t(0));
}

PHA_TEST(TextTest)
#include "text_test.moc"
