// SPDX-License-Identifier: GPL-3.0-or-later
// Reading texts: every format gives the same documents, in bounded pieces, with every repair counted; hostile files are
// refused by name.
#include "engine/base/error.h"
#include "engine/data/document.h"
#include "engine/data/prepare.h"
#include "engine/data/random.h"
#include "engine/data/survey.h"
#include "engine/data/window_order.h"
#include "tests/suite.h"
#include "tests/unit/packed.h"
#include "tests/unit/parquet_file.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <set>

using namespace pha;
namespace fs = std::filesystem;

namespace {

/// Line 17 of a text that never says the same twice.
std::string line(int i) { return "Line " + std::to_string(i) + " is here and says " + std::to_string(i * 7) + " .\n"; }

std::string lines(int count)
{
    std::string text;
    for (int i = 0; i < count; ++i) text += line(i) + (i % 5 == 4 ? "\n" : "");
    return text;
}

std::string jsonLines(int count)
{
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "{\"id\": " + std::to_string(i) + ", \"text\": \"Record " + std::to_string(i)
            + " says \\\"h\\u00e9llo\\\".\\nTwice.\"}\n";
    return text;
}

/// "xz" of "packed by xz\n", as the tool of that name writes it.
constexpr char xzFile[] =
    "fd377a585a000004e6d6b4460200210116000000742fe5a301000c7061636b656420627920787a0a00000000df313b4a"
    "0fb061730001250d7119c4b61fb6f37d010000000004595a";

std::string fromHex(std::string_view hex)
{
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes += char(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    return bytes;
}

} // namespace

class TextsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { QVERIFY(home_.isValid()); }

    void packedTextsReadAlike_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QByteArray>("content");
        const auto text = lines(3000);
        const auto bytes = [](const std::string& content) { return QByteArray::fromStdString(content); };
        QTest::newRow("gz") << "a.txt.gz" << bytes(packed::gzip(text));
        QTest::newRow("gz in two members")
            << "b.txt.gz" << bytes(packed::gzip(text.substr(0, 1000)) + packed::gzip(text.substr(1000)));
        QTest::newRow("gz padded with zeros") << "c.gz" << bytes(packed::gzip(text) + std::string(500, '\0'));
        QTest::newRow("zst") << "a.txt.zst" << bytes(packed::zstd(text));
        QTest::newRow("zst in two frames")
            << "b.zst" << bytes(packed::zstd(text.substr(0, 1000)) + packed::zstd(text.substr(1000)));
        QTest::newRow("zip") << "a.zip" << bytes(packed::zip({ { "folder/", "" }, { "folder/a.txt", text } }));
        QTest::newRow("gz in zip") << "b.zip" << bytes(packed::zip({ { "a.txt.gz", packed::gzip(text) } }));
        QTest::newRow("tar") << "a.tar" << bytes(packed::tar({ { "x/a.txt", text }, { "x/picture.png", "PNG" } }));
        const auto inner = packed::tar({ { std::string(150, 'n') + ".txt", text } });
        QTest::newRow("tar.gz in tar") << "b.tar" << bytes(packed::tar({ { "part_data.gz", packed::gzip(inner) } }));
    }
    void packedTextsReadAlike()
    {
        QFETCH(QString, name);
        QFETCH(QByteArray, content);
        QCOMPARE(textOf(write(name.toStdString(), content.toStdString())), lines(3000));
    }

    void xz() { QCOMPARE(textOf(write("a.txt.xz", fromHex(xzFile))), std::string("packed by xz\n")); }

    /// From any record on the rest reads the same.
    void readingGoesOnAnywhere()
    {
        const auto text = lines(2000);
        const auto path = write("on.zip",
            packed::zip(
                { { "a.txt", text }, { "b.jsonl", jsonLines(40) }, { "c.tar", packed::tar({ { "d.txt", text } }) } }));
        const auto files = findTexts({ path });
        std::vector<TextPosition> positions;
        std::vector<std::string> records;
        RecordReader reader(files, 2000, nullptr);
        TextRecord record;
        for (;;) {
            positions.push_back(reader.position());
            if (!reader.next(record)) break;
            records.push_back(record.bytes);
        }
        QVERIFY(records.size() > 100);
        for (std::size_t at = 1; at < records.size(); at += 7) {
            RecordReader other(files, 2000, nullptr);
            other.seek(positions[at]);
            for (std::size_t i = at; i < records.size(); ++i) {
                QVERIFY(other.next(record));
                QVERIFY2(record.bytes == records[i], qPrintable(QString("record %1 after %2").arg(i).arg(at)));
            }
            QVERIFY(!other.next(record));
        }
        RecordReader beyond(files, 2000, nullptr);
        QVERIFY_THROWS_EXCEPTION(DataError, beyond.seek({ 0, 99, 0 }));
    }

    void jsonLinesAreDocuments()
    {
        auto content = jsonLines(3) + "\n{\"text\": 5}\nno json\n{\"other\": \"x\"}\n[1]\n{\"text\": \"\"}\n"
            + "{\"text\": \"bad \xFF byte\"}\r\n{\"text\": \"last\"}";
        const auto documents = documentsOf(write("a.jsonl", content));
        TextRepairs repairs;
        std::vector<std::string> texts;
        for (const auto& document : documents) {
            repairs.add(document.repairs);
            if (!document.text.empty()) texts.push_back(document.text);
        }
        QCOMPARE(texts.size(), std::size_t(5));
        QCOMPARE(texts[1], std::string("Record 1 says \"h\xC3\xA9llo\".\nTwice.\n\n"));
        QCOMPARE(texts[3], std::string("bad \xEF\xBF\xBD byte\n\n"));
        QCOMPARE(texts[4], std::string("last\n\n"));
        QCOMPARE(repairs.badRecords, 4);
        QCOMPARE(repairs.invalidUtf8, 1);
    }

    /// Python writes them when it is given such text; the rest of the record is text still.
    void halvesOfSurrogatePairs()
    {
        const auto documents = documentsOf(write("halves.jsonl",
            "{\"text\": \"sur \\ud800 rogate \\uDC01\\ud83d\\ude00 \\\\\\ud800\"}\n"
            "{\"text\": \"\\ud800\\ud83d\\ude00 \\\\ud800 \\u00e9\"}\n"
            "{\"text\": \"\\ud800 no end}\n"));
        QCOMPARE(documents.size(), std::size_t(3));
        const std::string half = "\xEF\xBF\xBD", face = "\xF0\x9F\x98\x80";
        QCOMPARE(documents[0].text, "sur " + half + " rogate " + half + face + " \\" + half + "\n\n");
        QCOMPARE(documents[0].repairs.invalidUtf8, 3);
        QCOMPARE(documents[0].repairs.badRecords, 0);
        QCOMPARE(documents[1].text, half + face + " \\ud800 \xC3\xA9\n\n");
        QCOMPARE(documents[1].repairs.invalidUtf8, 1);
        QCOMPARE(documents[2].repairs.invalidUtf8, 0);
        QCOMPARE(documents[2].repairs.badRecords, 1);
    }

    /// A line of JSON that no memory should hold is passed over, and said.
    void endlessRecords()
    {
        const auto path = write("long.jsonl",
            "{\"text\": \"first\"}"
            "\n" + std::string(std::size_t(20) << 20, 'x')
                + "\n" + "{\"text\": \"second\"}" + "\n" + std::string(std::size_t(17) << 20, 'y'));
        TextRepairs repairs;
        std::string text;
        for (const auto& document : documentsOf(path)) repairs.add(document.repairs), text += document.text;
        QCOMPARE(text, std::string("first\n\nsecond\n\n"));
        QCOMPARE(repairs.badRecords, 0);
        QCOMPARE(repairs.longRecords, 2);
        QCOMPARE(repairs.text(), std::string("2 records above 16 MiB left out"));
        // Of an earlier version, which did not tell them apart.
        auto json = repairs.toJson();
        json.erase("long_records");
        QVERIFY(!TextRepairs::fromJson(json).any());
    }

    void articlesAreDocuments()
    {
        const std::string first = " \n = First = \n \n Words of it . \n \n = = A section = = \n \n More . \n";
        const std::string second = " \n = Second = \n \n = 3 words \n";
        const auto documents = documentsOf(write("w.raw", first + second));
        QCOMPARE(documents.size(), std::size_t(2));
        QCOMPARE(documents[0].text + documents[1].text, first + second);
        QVERIFY(documents[1].text.starts_with(" = Second = "));
        QVERIFY(documents[0].whole && documents[1].whole);
    }

    /// A byte order mark changes nothing, whether a title or a blank line stands behind it.
    void articlesBehindAByteOrderMark()
    {
        std::string titled;
        for (int i = 0; i < 60; ++i) {
            titled += " = Article " + std::to_string(i) + " = \n \n";
            for (int k = 0; k < 8; ++k) titled += " " + line(100 * i + k) + " \n"; // of more than a block of plain text
        }
        for (const auto& text : { titled, " \n" + titled }) {
            const std::array files { write("no-mark.txt", text), write("mark.txt", "\xEF\xBB\xBF" + text) };
            std::array<std::vector<std::string>, 2> articles;
            std::array<Survey, 2> surveys;
            SilentSink sink;
            for (std::size_t i = 0; i < files.size(); ++i) {
                for (const auto& document : documentsOf(files[i])) articles[i].push_back(document.text);
                surveys[i] = surveyTexts(findTexts({ files[i] }), {}, 2, sink, {});
            }
            QCOMPARE(articles[0].size(), std::size_t(60));
            QCOMPARE(articles[1], articles[0]);
            QCOMPARE(surveys[1].toJson().dump(), surveys[0].toJson().dump());
        }
    }

    /// Hugging Face cuts WikiText into shards wherever it likes.
    void shardsOfWikiTextAreOneText()
    {
        std::vector<std::string> rows;
        for (int i = 0; i < 6; ++i) {
            const auto number = std::to_string(i);
            rows.insert(rows.end(),
                { "", " = Article " + number + " = \n", "", " Words of " + number + " . \n", " = = Section = = \n",
                    " More of " + number + " . \n" });
        }
        const auto documents = [&](const std::string& name, std::ptrdiff_t cut) {
            fs::create_directories(path(name));
            const auto begin = rows.begin();
            write(name + "/train-00000-of-00002.parquet", ParquetFile::of({ begin, begin + cut }));
            write(name + "/train-00001-of-00002.parquet", ParquetFile::of({ begin + cut, rows.end() }));
            std::vector<std::string> texts;
            for (const auto& document : documentsOf(path(name))) texts.push_back(document.text);
            return texts;
        };
        const auto atTitle = documents("at-title", 19);
        QCOMPARE(atTitle.size(), std::size_t(6));
        QVERIFY(atTitle[3].starts_with(" = Article 3 = \n") && atTitle[3].ends_with(" More of 3 . \n \n"));
        for (const int cut : { 15, 18, 22, 23 }) QCOMPARE(documents("cut-" + std::to_string(cut), cut), atTitle);

        // Reading goes on in any of them.
        const auto files = findTexts({ path("cut-22") });
        QVERIFY(joinsShards(files) && !joinsShards({ files[1] }));
        RecordReader reader(files, 65536, nullptr);
        std::vector<TextPosition> positions;
        for (TextRecord record; positions.push_back(reader.position()), reader.next(record);) { }
        for (std::size_t at = 0; at < atTitle.size(); ++at) {
            RecordReader other(files, 65536, nullptr);
            if (at > 0) other.seek(positions[at]);
            TextRecord record;
            for (auto i = at; i < atTitle.size(); ++i) {
                QVERIFY(other.next(record));
                QCOMPARE(makeDocument(std::move(record)).text, atTitle[i]);
            }
            QVERIFY(!other.next(record));
        }
    }

    void repairsAreCounted()
    {
        const auto documents =
            documentsOf(write("r.txt", std::string("\xEF\xBB\xBFone\r\ntwo\rthree \xC3\x28 \0 four", 27)));
        QCOMPARE(documents.size(), std::size_t(1));
        QCOMPARE(documents[0].text, std::string("one\ntwo\nthree \xEF\xBF\xBD( \xEF\xBF\xBD four\n"));
        QCOMPARE(documents[0].repairs.lineEnds, 2);
        QCOMPARE(documents[0].repairs.invalidUtf8, 1);
        QCOMPARE(documents[0].repairs.nulBytes, 1);
    }

    /// A gigabyte without a line end would be read like this: in pieces, cut before spaces, each cut counted.
    void oneEndlessLine()
    {
        std::string text;
        for (int i = 0; text.size() < (std::size_t(4) << 20); ++i) text += "word" + std::to_string(i) + " ";
        text += std::string(std::size_t(3) << 20, 'x');
        const auto files = findTexts({ write("line.txt", text) });
        RecordReader reader(files, 4096, nullptr);
        TextRecord record;
        std::string read;
        std::int64_t cuts = 0;
        while (reader.next(record)) {
            QVERIFY(record.bytes.size() <= std::size_t(17) * 4096);
            if (record.cut && read.size() + record.bytes.size() < (std::size_t(4) << 20))
                QCOMPARE(text[read.size() + record.bytes.size()], ' ');
            cuts += record.cut;
            read += record.bytes;
        }
        QVERIFY(read == text);
        QVERIFY(cuts > 90);
    }

    void sistersAreSplits()
    {
        fs::create_directories(path("set"));
        write("set/wiki.train.tokens", lines(500));
        write("set/wiki.valid.tokens", " = V = \n one two \n");
        write("set/wiki.test.tokens", " = T = \n one \n");
        write("set/notes.test.txt", "not a split");
        const auto check = [&](const std::string& source) {
            const auto files = findTexts({ source });
            QCOMPARE(files.size(), std::size_t(3));
            QVERIFY(files[0].given == TextSplit::Valid && files[1].given == TextSplit::Test);
            QVERIFY(files[2].given == TextSplit::Train);
        };
        check(path("set/wiki.train.tokens"));
        check(path("set/wiki.valid.tokens"));
        const auto folder = findTexts({ path("set") });
        QCOMPARE(folder.size(), std::size_t(4));
        QVERIFY(!folder.back().given || !folder[2].given);
        // Without a training file "test" is only a word, but for WikiText, of which people have one part.
        QVERIFY(!findTexts({ path("set/notes.test.txt") })[0].given);
        fs::create_directories(path("alone"));
        QVERIFY(findTexts({ write("alone/wiki.test.raw", lines(500)) })[0].given == TextSplit::Test);
        QVERIFY(!findTexts({ write("alone/Wiki.train.tokens", lines(500)) })[0].given);
    }

    void archivesGiveSplits_data()
    {
        QTest::addColumn<QString>("path");
        const packed::Entries members { { "wikitext-2-raw/wiki.test.raw", " = T = \n t t \n" },
            { "wikitext-2-raw/wiki.train.raw", " = A = \n a a \n = B = \n b b \n" },
            { "wikitext-2-raw/wiki.valid.raw", " = V = \n v v v \n" } };
        auto zipped = members;
        zipped.emplace(zipped.begin(), "wikitext-2-raw/", "");
        const auto row = [&](const char* name, const std::string& content) {
            QTest::newRow(name) << QString::fromStdString(write(name, content));
        };
        row("wikitext-2-raw-v1.zip", packed::zip(zipped));
        row("wikitext-2-raw-v1.tar", packed::tar(members));
        row("wikitext-2-raw-v1.tar.gz", packed::gzip(packed::tar(members)));
    }
    void archivesGiveSplits()
    {
        QFETCH(QString, path);
        SilentSink sink;
        const auto survey = surveyTexts(findTexts({ path.toStdString() }), {}, 2, sink, {});
        QVERIFY(survey.rule.validGiven && survey.rule.testGiven);
        QCOMPARE(survey.documents, 4);
        QCOMPARE(survey.rule.testBelow, std::uint64_t(0));
        QVERIFY(survey.sample.find("a a") != std::string::npos && survey.sample.find("v v") == std::string::npos);
    }

    /// Names that give a split only together give it in a tar archive as in a zip file, wherever they stand.
    void archivesOfTrainAndTestFilesAreAlike()
    {
        const packed::Entries members { { "x/my.test.txt", lines(90) }, { "x/my.train.txt", lines(900) },
            { "x/my.valid.txt", lines(80) } };
        SilentSink sink;
        const auto survey = [&](const std::string& name, const std::string& content) {
            return surveyTexts(findTexts({ write(name, content) }), {}, 2, sink, {});
        };
        const auto zip = survey("three.zip", packed::zip(members));
        QVERIFY(zip.rule.validGiven && zip.rule.testGiven);
        for (const auto& order : { members, packed::Entries(members.rbegin(), members.rend()) }) {
            const auto tar = survey("three.tar", packed::tar(order));
            QVERIFY(tar.rule.validGiven && tar.rule.testGiven);
            QCOMPARE(tar.rule.testBelow, zip.rule.testBelow);
            QCOMPARE(tar.bytes, zip.bytes);
            // Packed, the names behind a text are not known when it is read.
            for (const auto& [name, content] : { std::pair("three.tar.gz", packed::gzip(packed::tar(order))),
                     std::pair("nested.tar", packed::tar({ { "three.tar", packed::tar(order) } })) })
                QVERIFY_THROWS_EXCEPTION(DataError, survey(name, content));
        }
        QVERIFY(!survey("alone.tar.gz", packed::gzip(packed::tar({ members[1] }))).rule.testGiven);
    }

    void surveysDoNotDependOnThreads()
    {
        const auto files = findTexts({ write("s.txt", lines(20'000)) });
        SilentSink sink;
        const auto one = surveyTexts(files, {}, 1, sink, {}), many = surveyTexts(files, {}, 7, sink, {});
        QCOMPARE(one.toJson().dump(), many.toJson().dump());
        QCOMPARE(one.sample, many.sample);
        QCOMPARE(Survey::fromJson(one.toJson()).toJson().dump(), one.toJson().dump());
    }

    void sharesAreKept()
    {
        const auto files = findTexts({ write("shares.jsonl", jsonLines(4000)) });
        SilentSink sink;
        const auto survey = surveyTexts(files, { 0.2, 0 }, 2, sink, {});
        std::map<TextSplit, int> counts;
        for (const auto& document : documentsOf(files[0].path.string())) ++counts[survey.rule.of(document)];
        QVERIFY2(std::abs(counts[TextSplit::Valid] - 800) < 12, qPrintable(QString::number(counts[TextSplit::Valid])));
        QCOMPARE(counts[TextSplit::Test], 0);
    }

    /// A record that comes ten thousand times is encoded once, and the others are divided as if it came once.
    void copiesDoNotCountForSplits()
    {
        const std::string again = "{\"text\": \"All rights reserved, whatever that may mean.\"}\n";
        std::string copies;
        for (int i = 0; i < 10'000; ++i) copies += again;
        fs::create_directories(path("scratch"));
        SilentSink sink;
        const auto survey = [&](const std::string& name, const std::string& text) {
            return surveyTexts(findTexts({ write(name, text) }), {}, 2, sink, {}, {}, path("scratch"));
        };
        const auto once = survey("once.jsonl", jsonLines(600) + again);
        const auto often = survey("often.jsonl", copies + jsonLines(600) + copies);
        QVERIFY(once.rule.validBelow > 0 && once.rule.testBelow > once.rule.validBelow);
        QCOMPARE(often.rule.validBelow, once.rule.validBelow);
        QCOMPARE(often.rule.testBelow, once.rule.testBelow);
        QCOMPARE(often.sample.size(), once.sample.size());
        QCOMPARE(often.documents, 20'600);
        QVERIFY(fs::is_empty(path("scratch")));
    }

    /// A split that is held in memory ends before the document that would be too much for it.
    void splitsKeepWithinTheirLimit()
    {
        std::string text;
        for (int i = 0; i < 400; ++i)
            text += "{\"text\": \"" + std::to_string(i) + std::string(std::size_t(500 + i), 'x') + "\"}\n";
        const auto files = findTexts({ write("limited.jsonl", text) });
        SilentSink sink;
        for (const std::uint64_t limit : { 5000u, 20'000u, 33'333u }) {
            SurveyLimits limits;
            limits.evaluated = limit;
            const auto survey = surveyTexts(files, { 0.5, 0.5 }, 2, sink, {}, limits);
            std::map<TextSplit, std::uint64_t> bytes;
            for (const auto& document : documentsOf(files[0].path.string()))
                bytes[survey.rule.of(document)] += document.text.size();
            for (const auto split : { TextSplit::Valid, TextSplit::Test })
                QVERIFY2(bytes[split] <= limit && bytes[split] + 2000 > limit,
                    qPrintable(QString("%1 of %2 bytes").arg(bytes[split]).arg(limit)));
        }
    }

    /// However short the documents are: their keys may be too many to be remembered.
    void sharesOfManyDocumentsAreKept()
    {
        const auto files = findTexts({ write("many.jsonl", jsonLines(4000)) });
        SilentSink sink;
        SurveyLimits limits;
        limits.keys = 300;
        const auto survey = surveyTexts(files, { 0.1, 0.2 }, 2, sink, {}, limits);
        QVERIFY(!survey.rule.undivided());
        std::map<TextSplit, int> counts;
        for (const auto& document : documentsOf(files[0].path.string())) ++counts[survey.rule.of(document)];
        const auto said = QString("%1 and %2").arg(counts[TextSplit::Valid]).arg(counts[TextSplit::Test]);
        QVERIFY2(std::abs(counts[TextSplit::Valid] - 400) < 12, qPrintable(said));
        QVERIFY2(std::abs(counts[TextSplit::Test] - 800) < 12, qPrintable(said));
        // Keys that suffice decide as they always did.
        limits.keys = 2000;
        QCOMPARE(surveyTexts(files, { 0.1, 0.2 }, 2, sink, {}, limits).fingerprint,
            surveyTexts(files, { 0.1, 0.2 }, 2, sink, {}).fingerprint);
    }

    void namedFieldsAreRead()
    {
        const auto file = write("named.jsonl",
            "{\"id\": 7, \"text\": \"Not this.\", \"st\\u00f6ry\": \"One.\"}\n"
            "{\"text\": \"Nor this.\"}\n"
            "{\"st\xC3\xB6ry\": \"Two.\"}\n");
        const auto files = findTexts({ file }, "st\xC3\xB6ry");
        SilentSink sink;
        QCOMPARE(surveyTexts(files, {}, 2, sink, {}).repairs.badRecords, 1);
        RecordReader reader(files, 65536, nullptr);
        std::string text;
        for (TextRecord record; reader.next(record);) text += makeDocument(std::move(record)).text;
        QCOMPARE(text, std::string("One.\n\nTwo.\n\n"));
    }

    void absentFieldsAreRefused()
    {
        const auto said = [](const std::string& file, const char* field) {
            try {
                SilentSink sink;
                surveyTexts(findTexts({ file }, field), {}, 2, sink, {});
            } catch (const DataError& error) {
                return QString::fromStdString(error.what());
            }
            return QString("accepted");
        };
        const auto file = write("absent.jsonl", "\n[1]\n{\"id\": 7, \"text\": \"Words.\"}\n");
        const QString advice = "; name the one that holds the texts: --text-field NAME, of a run --set text_field=NAME";
        QCOMPARE(said(file, "text"), QString("accepted"));
        QCOMPARE(said(file, "content"),
            QString::fromStdString(file) + ": has no field \"content\"; it has \"id\", \"text\"" + advice);
        QVERIFY2(said(file, "id").contains("has no records with a text in \"id\"; give"), qPrintable(said(file, "id")));
        const auto none = write("none.jsonl", "[1]\n{}\nwords\n");
        QVERIFY2(said(none, "text").contains("no records with a text in \"text\""), qPrintable(said(none, "text")));
        // An array, whose last object alone is a line of JSON.
        std::string array = " \n[\n";
        for (int i = 0; i < 60; ++i) array += "{\"text\": \"Number " + std::to_string(i) + "\"},\n";
        const auto whole = said(write("array.jsonl", array + "{\"text\": \"The last.\"}\n]\n"), "text");
        QVERIFY2(whole.contains("array.jsonl: is one JSON array; write one object a line"), qPrintable(whole));
        const auto one = said(write("one.jsonl", "[{\"text\": \"Words.\"}, {\"text\": \"More.\"}]"), "text");
        QVERIFY2(one.contains("is one JSON array"), qPrintable(one));
        std::string wide = "{";
        for (int i = 0; i < 20; ++i) wide += "\"f" + std::to_string(10 + i) + "\": 1, ";
        const auto many = said(write("wide.jsonl", wide + "\"last\": 0}\n"), "text");
        QVERIFY2(many.contains("\"f17\", ...; name") && !many.contains("f18"), qPrintable(many));
    }

    void damagedFilesAreRefused_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QByteArray>("content");
        QTest::addColumn<QString>("expected");
        const auto bytes = [](const std::string& content) { return QByteArray::fromStdString(content); };
        const auto text = lines(2000);
        const auto gz = packed::gzip(text), zst = packed::zstd(text), zip = packed::zip({ { "a.txt", text } });
        const auto flip = [](std::string content, std::size_t at) {
            content[at] = char(content[at] ^ 0x40);
            return content;
        };
        QTest::newRow("gz cut") << "1.txt.gz" << bytes(gz.substr(0, gz.size() / 2)) << "ends in the middle";
        QTest::newRow("gz sum") << "2.txt.gz" << bytes(flip(gz, gz.size() - 7)) << "does not unpack";
        QTest::newRow("gz and garbage") << "3.txt.gz" << bytes(gz + "garbage") << "does not unpack";
        QTest::newRow("zst cut") << "1.txt.zst" << bytes(zst.substr(0, zst.size() - 5)) << "ends in the middle";
        QTest::newRow("zip cut") << "1.zip" << bytes(zip.substr(0, zip.size() - 9)) << "damaged zip";
        QTest::newRow("zip sum") << "2.zip" << bytes(flip(zip, 100)) << "checksum is wrong";
        QTest::newRow("zip directory") << "3.zip" << bytes(flip(zip, zip.size() - 72)) << "damaged";
        auto locked = zip;
        for (const auto& mark : { std::string("PK\x03\x04"), std::string("PK\x01\x02") })
            locked[locked.rfind(mark) + (mark[2] == '\x03' ? 6 : 8)] = 1;
        QTest::newRow("zip with a password") << "4.zip" << bytes(locked) << "encrypted";
        QTest::newRow("zip of nothing") << "5.zip" << bytes(packed::zip({ { "picture.png", "PNG" } }))
                                        << "holds no texts";
        QTest::newRow("zip in zip") << "6.zip" << bytes(packed::zip({ { "a.txt", text }, { "b.zip", zip } }))
                                    << "b.zip: is a zip file in a packed one";
        QTest::newRow("zip in tar") << "3.tar" << bytes(packed::tar({ { "a.txt", text }, { "b.zip", zip } }))
                                    << "b.zip: is a zip file in a packed one";
        const auto tar = packed::tar({ { "a.txt", text }, { "b.txt", text } });
        QTest::newRow("tar cut") << "1.tar" << bytes(tar.substr(0, 20'000)) << "in the middle";
        QTest::newRow("tar header") << "2.tar" << bytes(flip(tar, 512 + (text.size() + 511) / 512 * 512 + 5))
                                    << "damaged tar";
    }
    void damagedFilesAreRefused()
    {
        QFETCH(QString, name);
        QFETCH(QByteArray, content);
        QFETCH(QString, expected);
        const auto file = write(name.toStdString(), content.toStdString());
        try {
            textOf(file);
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY2(QString(error.what()).contains(expected), error.what());
            QVERIFY(QString(error.what()).contains(name));
        }
    }

    /// Names in archives reach no path: nothing is written at all.
    void namesInArchivesAreOnlyNames()
    {
        const auto before = fs::exists("/tmp/pha-escape.txt");
        textOf(
            write("slip.zip", packed::zip({ { "../../../tmp/pha-escape.txt", lines(5) }, { "/etc/x.txt", "y\n" } })));
        textOf(write("slip.tar", packed::tar({ { "../../../tmp/pha-escape.txt", lines(5) } })));
        QCOMPARE(fs::exists("/tmp/pha-escape.txt"), before);
    }

    void bombsAreRefused()
    {
        QVERIFY_THROWS_EXCEPTION(DataError, checkExpansion("x", 1 << 18, std::uint64_t(65) << 20));
        checkExpansion("x", 1, std::uint64_t(64) << 20);
        checkExpansion("x", std::uint64_t(1) << 20, std::uint64_t(100) << 20);
    }

    void previews()
    {
        const auto preview = previewTexts({ write("p.jsonl", jsonLines(50)) }, 3);
        QCOMPARE(preview.format, std::string("JSON lines"));
        QCOMPARE(preview.lines.size(), std::size_t(3));
        QCOMPARE(preview.lines[0], std::string("Record 0 says \"h\xC3\xA9llo\"."));
        QCOMPARE(preview.files, 1);
        QVERIFY_THROWS_EXCEPTION(DataError, previewTexts({ path("absent.txt") }));
    }

    void windowOrderIsAPermutation()
    {
        for (const std::uint64_t count : { 1u, 2u, 3u, 17u, 1024u, 5000u }) {
            const WindowOrder order(count, 5), other(count, 6);
            std::set<std::uint64_t> seen;
            std::uint64_t moved = 0, same = 0;
            for (std::uint64_t i = 0; i < count; ++i) {
                QVERIFY(order[i] < count);
                seen.insert(order[i]);
                moved += order[i] != i;
                same += order[i] == other[i];
            }
            QCOMPARE(seen.size(), std::size_t(count));
            if (count > 100) QVERIFY(moved > count * 9 / 10 && same < count / 10);
        }
        const WindowOrder large(std::uint64_t(3) << 40, 1);
        QVERIFY(large[0] < large.size() && large[1] != large[0]);
    }

private:
    std::string path(const std::string& name) const
    {
        return home_.filePath(QString::fromStdString(name)).toStdString();
    }
    std::string write(const std::string& name, const std::string& content) const
    {
        std::ofstream(path(name), std::ios::binary) << content;
        return path(name);
    }
    static std::vector<Document> documentsOf(const std::string& file)
    {
        const auto files = findTexts({ file });
        RecordReader reader(files, 65536, nullptr);
        std::vector<Document> documents;
        for (TextRecord record; reader.next(record);) documents.push_back(makeDocument(std::move(record)));
        return documents;
    }
    static std::string textOf(const std::string& file)
    {
        std::string text;
        for (const auto& document : documentsOf(file)) text += document.text;
        return text;
    }

    QTemporaryDir home_;
};

PHA_TEST(TextsTest)
#include "texts_test.moc"
