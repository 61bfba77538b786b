// SPDX-License-Identifier: GPL-3.0-or-later
// Parquet files of two foreign writers (parquet/make.mjs) read as the same texts in JSON lines; cut, flipped and lying
// ones are refused in one line, in no time and little memory.
#include "engine/base/error.h"
#include "engine/data/document.h"
#include "engine/data/parquet_codecs.h"
#include "engine/data/prepare.h"
#include "tests/suite.h"
#include "tests/unit/packed.h"
#include "tests/unit/parquet_file.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <iterator>

using namespace pha;
namespace fs = std::filesystem;

namespace {

const fs::path fixtures = PHA_SOURCE_DIR "/tests/unit/parquet";

struct Read {
    std::vector<std::string> texts; ///< of the documents that have one
    std::int64_t bad = 0;
    bool operator==(const Read&) const = default;
};

Read readAll(const fs::path& path, std::atomic<std::uint64_t>* taken = nullptr, const std::string& column = "text")
{
    const auto files = findTexts({ path }, column);
    RecordReader reader(files, 65536, taken);
    Read read;
    for (TextRecord record; reader.next(record);) {
        auto document = makeDocument(std::move(record));
        read.bad += document.repairs.badRecords;
        if (!document.text.empty()) read.texts.push_back(std::move(document.text));
    }
    return read;
}

std::string content(const fs::path& path)
{
    std::ifstream file(path, std::ios::binary);
    return { std::istreambuf_iterator<char>(file), {} };
}

/// What is said about a file; empty if it can be read.
QString refusal(const fs::path& path)
{
    try {
        readAll(path);
        return {};
    } catch (const DataError& error) {
        const QString what = error.what();
        return what.contains('\n') || !what.contains("; ") ? "not one line: " + what : what;
    }
}

} // namespace

class ParquetTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { QVERIFY(home_.isValid()); }

    /// Every codec, encoding and version of pages, with and without nulls, in three row groups of several pages.
    void readLikeJsonLines()
    {
        const auto optional = readAll(fixtures / "texts.jsonl"), required = readAll(fixtures / "given.jsonl");
        QCOMPARE(optional.bad, 6);
        QVERIFY(optional.texts.size() > 25 && required.bad == 0);
        int files = 0;
        for (const auto& entry : fs::directory_iterator(fixtures)) {
            const auto name = entry.path().filename().string();
            const bool nulls = name.starts_with("optional-");
            if (!nulls && !name.starts_with("required-")) continue;
            std::atomic<std::uint64_t> taken { 0 };
            const auto read = readAll(entry.path(), &taken);
            QVERIFY2(read == (nulls ? optional : required), name.c_str());
            QVERIFY2(taken >= entry.file_size(), name.c_str()); // progress reaches its end
            ++files;
        }
        QCOMPARE(files, 43);
    }

    void anotherColumn()
    {
        QCOMPARE(readAll(fixtures / "refused-other.parquet", nullptr, "content").texts,
            readAll(fixtures / "given.jsonl").texts);
        try {
            readAll(fixtures / "many-plain.parquet", nullptr, "content");
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY2(QString(error.what())
                         .endsWith("many-plain.parquet: has no column \"content\"; it has \"text\"; name "
                                   "the one that holds the texts: --text-field NAME, of a run --set "
                                   "text_field=NAME"),
                error.what());
        }
    }

    /// Numbers in several blocks and runs.
    void manyTextsInOnePage()
    {
        std::vector<std::string> expected;
        for (int row = 0; row < 600; ++row) {
            std::string text;
            for (int i = 0; i <= row % 3; ++i) text += "Row " + std::to_string(row % 50) + ".";
            expected.push_back((row % 100 < 40 ? "The same." : text) + "\n\n");
        }
        for (const char* name : { "plain", "dictionary", "lengths", "prefixes" })
            QVERIFY2(readAll(fixtures / ("many-" + std::string(name) + ".parquet")).texts == expected, name);
    }

    void readingGoesOnAnywhere()
    {
        for (const char* name : { "optional-fallback", "optional-zstd-prefixes-V2", "many-dictionary", "wikitext" }) {
            const auto files = findTexts({ fixtures / (std::string(name) + ".parquet") });
            std::vector<TextPosition> positions;
            std::vector<std::string> records;
            RecordReader reader(files, 2000, nullptr);
            TextRecord record;
            for (positions.push_back(reader.position()); reader.next(record); positions.push_back(reader.position()))
                records.push_back(record.bytes);
            for (std::size_t at = 0; at <= records.size(); ++at) {
                RecordReader other(files, 2000, nullptr);
                other.seek(positions[at]);
                for (auto i = at; i < records.size(); ++i)
                    QVERIFY2(other.next(record) && record.bytes == records[i], name);
                QVERIFY(!other.next(record));
            }
            RecordReader beyond(files, 2000, nullptr);
            QVERIFY_THROWS_EXCEPTION(DataError, beyond.seek({ 0, 0, 5000 }));
        }
    }

    /// Rows that are WikiText's lines become its articles again.
    void linesOfWikiText()
    {
        const std::string first = " \n = First = \n \n Words of it . \n = = Section = = \n \n More . \n \n";
        QCOMPARE(readAll(fixtures / "wikitext.parquet").texts,
            (std::vector<std::string> { first, " = Second = \n \n Words of it . \n" }));
        QCOMPARE(previewTexts({ fixtures / "wikitext.parquet" }).format, std::string("WikiText"));
        QCOMPARE(previewTexts({ fixtures / "many-plain.parquet" }).format, std::string("Parquet"));
    }

    void namesOfShardsAreSplits()
    {
        QCOMPARE(familyOfName("data/train-00000-of-00004-2d5a1467fff1081b.parquet").first, std::string("*.parquet"));
        QCOMPARE(familyOfName("a-00001-of-00002.parquet").first, std::string("a.parquet"));
        QCOMPARE(familyOfName("made-of-wood-3-of-x-1.parquet").first, std::string("made-of-wood-3-of-x-1.parquet"));
        fs::create_directories(path("set/data"));
        for (const char* name : { "test-00000-of-00001", "train-00000-of-00002", "train-00001-of-00002",
                 "validation-00000-of-00001-869c898b519ad725" })
            fs::copy_file(fixtures / "many-plain.parquet", path("set/data/" + std::string(name) + ".parquet"));
        const auto files = findTexts({ path("set") });
        QCOMPARE(files.size(), std::size_t(4));
        QVERIFY(files[0].given == TextSplit::Valid && files[1].given == TextSplit::Test);
        QVERIFY(files[2].given == TextSplit::Train && files[3].given == TextSplit::Train);
        const auto sisters = findTexts({ path("set/data/train-00001-of-00002.parquet") });
        QCOMPARE(sisters.size(), std::size_t(3)); // one shard was meant, and what it is evaluated with
        const auto alone = findTexts({ path("set/data/test-00000-of-00001.parquet") });
        QVERIFY(alone.size() == 1 && alone[0].given == TextSplit::Test); // all of it is evaluated
    }

    /// As its automatic conversion lays them out.
    void foldersOfNumberedTablesAreSplits()
    {
        for (const char* name : { "test/0000", "partial-train/0000", "partial-train/0001", "validation/0000" }) {
            const auto file = path("hub/default/" + std::string(name) + ".parquet");
            fs::create_directories(fs::path(file).parent_path());
            fs::copy_file(fixtures / "many-plain.parquet", file);
        }
        const auto files = findTexts({ path("hub") });
        QCOMPARE(files.size(), std::size_t(4));
        QVERIFY(files[0].given == TextSplit::Valid && files[1].given == TextSplit::Test);
        QVERIFY(files[2].given.value_or(TextSplit::Train) == TextSplit::Train);
        const auto alone = findTexts({ path("hub/default/test/0000.parquet") });
        QVERIFY(alone.size() == 1 && alone[0].given == TextSplit::Test);
        QVERIFY(!familyOfName("0000.parquet").second && !familyOfName("test/2019-a.parquet").second);
        QVERIFY(!familyOfName("test/0000.txt").second); // of other texts a folder's name says nothing
    }

    void refusals_data()
    {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QString>("expected");
        const auto row = [](const char* name, const char* expected) {
            QTest::newRow(name) << QString::fromStdString((fixtures / name).string()) << expected;
        };
        row("refused-brotli.parquet",
            "packed with BROTLI, which is not read; write it again with snappy, gzip or zstd");
        row("refused-lz4.parquet", "packed with LZ4_RAW");
        row("refused-encrypted.parquet", "is encrypted");
        row("refused-list.parquet", "holds lists or structures");
        row("refused-number.parquet", "holds numbers");
        row("refused-other.parquet", "no column \"text\"; it has \"content\", \"url\"; name");
        const auto made = [&](const char* name, const std::string& bytes, const char* expected) {
            QTest::newRow(name) << QString::fromStdString(write(name, bytes)) << expected;
        };
        const auto good = content(fixtures / "many-plain.parquet");
        made("lfs.parquet", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull");
        made("text.parquet", "Only words.\n", "is no Parquet file");
        made("short.parquet", "PAR1PAR1", "ends too early");
        made("packed.parquet.gz", packed::gzip(good), "is a Parquet file in a packed one; unpack it");
        made("packed.zip", packed::zip({ { "a.parquet", good } }), "is a Parquet file in a packed one; unpack it");
        made("footer.parquet", good.substr(0, good.size() - 8) + packed::little(1u << 31, 4) + "PAR1", "its footer");
        ParquetFile lying;
        lying.pageSize = 0x7FFFFFFF;
        made("page.parquet", lying.bytes(), "page of more than 256 MiB");
        lying.pageSize = 100 << 20;
        made("bomb.parquet", lying.bytes(), "200 times its size");
        const std::string aKilobyte(1000, 'x'); // beyond what is harmless after some 70,000 texts
        ParquetFile endless; // a billion texts in a run of a few bytes
        endless.value = aKilobyte;
        endless.values = endless.rows = 1'000'000'000;
        made("endless.parquet", endless.bytes(), "200 times its size");
        ParquetFile again; // row groups of the same pages
        again.value = aKilobyte, again.groups = 100, again.values = again.rows = 1'000'000;
        made("again.parquet", again.bytes(), "200 times its size");
        ParquetFile empty;
        empty.emptyPages = 2000;
        made("empty.parquet", empty.bytes(), "nothing but empty pages");
        ParquetFile fewer;
        fewer.rows = 2;
        made("fewer.parquet", fewer.bytes(), "fewer rows than it says");
        fewer.rows = 0, fewer.values = 1;
        made("more.parquet", fewer.bytes(), "");
        ParquetFile summed;
        summed.sumsXor = 0x8000'0000u;
        made("sum.parquet", summed.bytes(), "is a damaged Parquet file: a page's checksum is wrong");
        ParquetFile encoding;
        encoding.encoding = 9;
        made("encoding.parquet", encoding.bytes(), "an encoding that is none of texts");
        ParquetFile beyond;
        beyond.offset = 1'000'000;
        made("beyond.parquet", beyond.bytes(), "its footer is wrong");
    }
    void refusals()
    {
        QFETCH(QString, file);
        QFETCH(QString, expected);
        const auto said = refusal(file.toStdString());
        QVERIFY2(said.contains(expected), qPrintable(said));
        if (!expected.isEmpty()) QVERIFY(said.startsWith(file));
    }

    /// The file that the lying ones are made of is right as it stands.
    void handMadeFile()
    {
        QCOMPARE(readAll(write("made.parquet", ParquetFile().bytes())).texts, std::vector<std::string> { "abc\n\n" });
        ParquetFile summed;
        summed.sumsXor = 0;
        QCOMPARE(readAll(write("summed.parquet", summed.bytes())).texts, std::vector<std::string> { "abc\n\n" });
    }

    void everyCutIsRefused()
    {
        for (const char* name : { "many-dictionary.parquet", "optional-duckdb-V2.parquet" }) {
            const auto whole = content(fixtures / name);
            for (std::size_t size = 1; size < whole.size(); ++size) {
                const auto said = refusal(write("cut.parquet", whole.substr(0, size)));
                QVERIFY2(said.contains("cut.parquet: is "), qPrintable(QString("%1: %2").arg(size).arg(said)));
            }
        }
    }

    /// Whatever a byte becomes, the file is read or refused.
    void flippedBytes()
    {
        int refused = 0;
        for (const char* name :
            { "many-plain", "many-dictionary", "many-lengths", "many-prefixes", "optional-duckdb-V1",
                "optional-duckdb-V2", "optional-snappy-dictionary-V1", "optional-gzip-prefixes-V2" }) {
            const auto whole = content(fixtures / (std::string(name) + ".parquet"));
            for (std::size_t at = 0; at < whole.size(); ++at) {
                for (const int flip : { 0x01, 0x80 }) {
                    auto bytes = whole;
                    bytes[at] = char(bytes[at] ^ flip);
                    const auto said = refusal(write("flipped.parquet", bytes));
                    QVERIFY2(!said.startsWith("not one line"), qPrintable(said));
                    refused += !said.isEmpty();
                }
            }
        }
        QVERIFY(refused > 3000);
    }

    void snappy()
    {
        const auto unpacked = [](const std::string& bytes, std::size_t size) {
            std::string out(size, '\0');
            return unpackSnappy(bytes, out) ? out : "refused";
        };
        const std::string longText(300, 'x');
        QCOMPARE(unpacked("\x03\x08"
                          "abc",
                     3),
            std::string("abc"));
        QCOMPARE(unpacked("\xAC\x02\xF4" + packed::little(299, 2) + longText, 300), longText);
        QCOMPARE(unpacked("\xAC\x02\xFC" + packed::little(299, 4) + longText, 300), longText);
        QCOMPARE(unpacked(std::string("\x0B\x08"
                                      "abc\x11\x03",
                              7),
                     11),
            std::string("abcabcabcab")); // 8 from 3 before
        QCOMPARE(unpacked(std::string("\x08\x08"
                                      "abc\x12\x02\0",
                              8),
                     8),
            std::string("abcbcbcb"));
        QCOMPARE(unpacked(std::string("\x08\x08"
                                      "abc\x13\x01\0\0\0",
                              10),
                     8),
            std::string("abcccccc"));
        for (const auto& bytes : { std::string("\x03\x08"
                                               "ab"),
                 std::string("\x04\x08"
                             "abc"),
                 std::string("\x02\x08"
                             "abc"),
                 std::string("\x08\x08"
                             "abc\x12\x04\0",
                     8),
                 std::string("\x08\x08"
                             "abc\x12\0\0",
                     8),
                 std::string("\x03\xF4") })
            QCOMPARE(unpacked(bytes, 3), std::string("refused"));
    }

private:
    std::string path(const std::string& name) const
    {
        return home_.filePath(QString::fromStdString(name)).toStdString();
    }
    std::string write(const std::string& name, const std::string& bytes) const
    {
        fs::remove(path(name)); // a file that is written over may be flushed to the disk, thousands of times
        std::ofstream(path(name), std::ios::binary) << bytes;
        return path(name);
    }

    QTemporaryDir home_;
};

PHA_TEST(ParquetTest)
#include "parquet_test.moc"
