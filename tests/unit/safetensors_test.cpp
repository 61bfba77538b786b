// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/safetensors.h"
#include "run_tools.h"
#include "tests/suite.h"

#include <QTest>

#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace pha;
using namespace pha::test;

namespace {

/// A file as the format defines it; `length` overrides the header length that it claims.
std::string fileOf(const std::string& header, const std::string& data = {}, std::uint64_t length = 0)
{
    if (length == 0) length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + header + data;
}

/// A header with one F32 tensor of two elements, one of its parts replaced.
std::string entry(const std::string& dtype = "\"F32\"", const std::string& shape = "[2]",
    const std::string& offsets = "[0,8]", const std::string& name = "\"a\"")
{
    std::string text = "{";
    text.append(name).append(":{\"dtype\":").append(dtype).append(",\"shape\":").append(shape);
    return text.append(",\"data_offsets\":").append(offsets).append("}}");
}
/// Appends instead of adding: GCC 12 warns falsely about `"x" + string` (its bug 105329).
std::string join(std::initializer_list<std::string_view> parts)
{
    std::string text;
    for (const auto part : parts) text += part;
    return text;
}
std::string withName(const std::string& name) { return entry("\"F32\"", "[2]", "[0,8]", name); }

std::string tensorsRefusal(const fs::path& file)
{
    return messageOf<CheckpointError>([&] { SafetensorsReader reader(file); });
}

constexpr auto sparseBytes = std::int64_t(1) << 33;

} // namespace

class SafetensorsTest : public QObject {
    Q_OBJECT

    // Rows of refuses(), by the part of a file that is wrong.
    static void row(const char* name, const std::string& content, const char* expected);
    static void addLengths(); ///< the length of the header, and how the header begins
    static void addNames(); ///< names as the header spells them
    static void addGrammar(); ///< what is not JSON, stands twice or is nested
    static void addEntries(); ///< members of an entry, and its dtype
    static void addShapes();
    static void addOffsets(); ///< where the data of one tensor stands, and how much of it there is
    static void addLayout(); ///< how tensors share the data
    static void addMetadata();

private Q_SLOTS:
    void refuses_data();
    void refuses();
    void refusesWithoutMemory_data();
    void refusesWithoutMemory();
    void everyDefectHasItsOwnSentence();
    void refusesWhatIsNoFile();
    void noticesChanges();
    void accepts();
    void names_data();
    void names();
    void roundTrip();
    void writerRefusesNonsense();
    void writerFailsCleanly();
};

void SafetensorsTest::refuses_data()
{
    QTest::addColumn<QByteArray>("content");
    QTest::addColumn<QString>("expected");
    addLengths();
    addNames();
    addGrammar();
    addEntries();
    addShapes();
    addOffsets();
    addLayout();
    addMetadata();
}

void SafetensorsTest::row(const char* name, const std::string& content, const char* expected)
{
    QTest::newRow(name) << QByteArray::fromStdString(content) << expected;
}

void SafetensorsTest::addLengths()
{
    const std::string data(8, 'd'), good = entry();
    for (std::size_t size = 0; size < 8; ++size)
        QTest::addRow("S1 %d bytes", int(size))
            << QByteArray(qsizetype(size), '\1') << QString("too few for the length of a header");
    row("S2 beyond the file", fileOf(good, data, good.size() + 9), "more than the 62 bytes that follow");
    row("S3 N = 0", std::string(8, '\0') + good, "header length is 0, too short");
    row("S3 N = 1", fileOf(good, data, 1), "header length is 1, too short");
    row("S3 N = 2", fileOf(good, data, 2), "cut off inside a string");
    row("S4 2^63", fileOf(good, data, std::uint64_t(1) << 63), "header length is 9223372036854775808");
    row("S4 2^64-1", fileOf(good, data, ~std::uint64_t(0)), "header length is 18446744073709551615");
    row("S4 2^64-8", fileOf(good, data, ~std::uint64_t(0) - 7), "header length is 18446744073709551608");
    for (const char* first : { " ", "\xef\xbb\xbf", "[", "\n", "\"" })
        QTest::addRow("S6 %s", QByteArray(first).toHex().constData()) << QByteArray::fromStdString(
            fileOf(std::string(first).append(good), data)) << QString("does not begin with {");
}

void SafetensorsTest::addNames()
{
    const std::string data(8, 'd');
    row("S7 bad byte", fileOf(withName("\"\xff\""), data), "is not UTF-8");
    row("S7 overlong", fileOf(withName("\"\xc0\xaf\""), data), "is not UTF-8");
    row("S7 overlong 3", fileOf(withName("\"\xe0\x80\xaf\""), data), "is not UTF-8");
    row("S7 surrogate bytes", fileOf(withName("\"\xed\xa0\x80\""), data), "is not UTF-8");
    row("S7 beyond U+10FFFF", fileOf(withName("\"\xf4\x90\x80\x80\""), data), "is not UTF-8");
    row("S7 cut character", fileOf(withName("\"\xe2\x82\""), data), "is not UTF-8");
    row("S7 lone high", fileOf(withName("\"\\ud800\""), data), "half a surrogate pair");
    row("S7 lone low", fileOf(withName("\"\\udc00\""), data), "half a surrogate pair");
    row("S7 high and letter", fileOf(withName("\"\\ud800\\u0041\""), data), "half a surrogate pair");
    row("S7 NUL", fileOf(withName(std::string("\"a\0\"", 4)), data), "bare control character");
    row("S7 escaped NUL", fileOf(withName("\"a\\u0000\""), data), "characters that a name must not have");
    row("S7 unknown escape", fileOf(withName("\"\\x41\""), data), "unknown escape");
    row("S7 broken escape", fileOf(withName("\"\\u00g1\""), data), "broken \\u escape");
    row("S22 1 MB", fileOf(withName(join({ "\"", std::string(1 << 20, 'n'), "\"" })), data),
        "a name is longer than 1024 bytes");
    row("S22 empty", fileOf(withName("\"\""), data), "characters that a name must not have");
}

void SafetensorsTest::addGrammar()
{
    const std::string data(8, 'd'), good = entry();
    for (std::size_t cut = 2; cut < good.size(); ++cut)
        QTest::addRow("S8 cut at %d", int(cut))
            << QByteArray::fromStdString(fileOf(good.substr(0, cut), data)) << QString("cut off");
    row("S8 garbage", fileOf(good + "x", data), "something other than spaces");
    row("S8 second object", fileOf(good + "{}", data), "something other than spaces");
    row("S8 newline padding", fileOf(good + "\n", data), "something other than spaces");
    row("S8 NUL padding", fileOf(good + std::string(1, '\0'), data), "something other than spaces");
    row("S8 comma", fileOf("{\"a\":{},}", data), "the entry has no dtype");
    row("S8 trailing comma", fileOf(good.substr(0, good.size() - 1) + ",}", data), "where a name should be");
    row("S8 no comma", fileOf("{\"__metadata__\":{}\"a\":1}"), "where a comma or } should be");
    row("S8 no colon", fileOf("{\"a\" 1}"), "where a colon should be");
    const std::string body = good.substr(good.find(':'), good.size() - good.find(':') - 1);
    row("S9 duplicate", fileOf(good.substr(0, good.size() - 1) + ",\"a\"" + body + "}", data),
        "a tensor stands twice (tensor \"a\"");
    row("S9 duplicate after unescape", fileOf(good.substr(0, good.size() - 1) + ",\"\\u0061\"" + body + "}", data),
        "a tensor stands twice (tensor \"a\"");
    row("S9 inner", fileOf("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", data),
        "has dtype twice");
    row("S9 inner after unescape",
        fileOf("{\"a\":{\"shape\":[2],\"sh\\u0061pe\":[2],\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", data),
        "has shape twice");
    row("S10 1025", fileOf(entry("\"F32\"", std::string(1025, '[') + std::string(1025, ']')), data), "nested too deep");
    row("S10 100000", fileOf(entry("\"F32\"", std::string(100000, '[')), data), "nested too deep");
    row("S10 objects", fileOf(entry("\"F32\"", "[{\"a\":{}}]"), data), "nested too deep");
}

void SafetensorsTest::addEntries()
{
    const std::string data(8, 'd');
    row("S11 list", fileOf("{\"a\":[]}"), "the entry is not an object");
    row("S11 text", fileOf("{\"a\":\"F32\"}"), "the entry is not an object");
    row("S11 null", fileOf("{\"a\":null}"), "the entry is not an object");
    row("S11 no dtype", fileOf("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", data), "the entry has no dtype");
    row("S11 no shape", fileOf("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", data), "the entry has no shape");
    row("S11 no offsets", fileOf("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", data), "the entry has no data_offsets");
    row("S11 extra", fileOf("{\"a\":{\"dtype\":\"F32\",\"extra\":1,\"shape\":[2],\"data_offsets\":[0,8]}}", data),
        "the unknown member \"extra\"");
    row("S11 dtype number", fileOf(entry("1"), data), "where the dtype, a string, should be");
    row("S11 shape text", fileOf(entry("\"F32\"", "\"2\""), data), "where the shape, a list, should be");
    row("S11 shape object", fileOf(entry("\"F32\"", "{}"), data), "nested too deep");
    row("S11 offsets null", fileOf(entry("\"F32\"", "[2]", "null"), data), "where data_offsets, a list, should be");
    for (const char* dtype : { "f32", "F8_E4M3", "F8_E5M2", "F4", "C64", "U64", "", "float32", "F32 " })
        QTest::addRow("S12 %s", dtype) << QByteArray::fromStdString(
            fileOf(entry(std::string("\"").append(dtype).append("\"")), data))
                                       << QString("is not supported");
}

void SafetensorsTest::addShapes()
{
    const std::string data(8, 'd');
    row("S13 -1", fileOf(entry("\"F32\"", "[-1]"), data), "a dimension is negative");
    row("S13 -0", fileOf(entry("\"F32\"", "[-0]"), data), "a dimension is negative");
    row("S13 1.0", fileOf(entry("\"F32\"", "[2.0]"), data), "a dimension is not written as a whole number");
    row("S13 1e3", fileOf(entry("\"F32\"", "[1e3]"), data), "a dimension is not written as a whole number");
    row("S13 01", fileOf(entry("\"F32\"", "[02]"), data), "a dimension begins with a zero");
    row("S13 text", fileOf(entry("\"F32\"", "[\"2\"]"), data), "where a dimension, a whole number, should be");
    row("S13 true", fileOf(entry("\"F32\"", "[true]"), data), "where a dimension, a whole number, should be");
    row("S13 2^63", fileOf(entry("\"F32\"", "[9223372036854775808]"), data), "a dimension is larger than 2^63-1");
    row("S13 2^64", fileOf(entry("\"F32\"", "[18446744073709551616]"), data), "a dimension is larger than 2^63-1");
    row("S13 2^64+2", fileOf(entry("\"F32\"", "[18446744073709551618]"), data), "a dimension is larger than 2^63-1");
    row("S13 product", fileOf(entry("\"F32\"", "[4294967296,4294967296]"), data), "the size of the shape overflows");
    row("S13 product wraps", fileOf(entry("\"F32\"", "[4611686018427387904,4,2]"), data),
        "the size of the shape overflows");
    row("S13 product then zero", fileOf(entry("\"F32\"", "[4611686018427387904,4,0]", "[0,0]")),
        "the size of the shape overflows");
    row("S13 dtype", fileOf(entry("\"F32\"", "[4611686018427387904]"), data), "the size of the shape overflows");
    std::string many = "[1";
    for (int i = 1; i < 1000000; ++i) many += ",1";
    row("S13 rank 10^6", fileOf(entry("\"F32\"", many + "]"), data), "the shape has more than 32 dimensions");
}

void SafetensorsTest::addOffsets()
{
    const std::string data(8, 'd');
    row("S14 begin > end", fileOf(entry("\"F32\"", "[2]", "[8,0]"), data), "the data ends before it begins");
    row("S14 negative", fileOf(entry("\"F32\"", "[2]", "[-8,0]"), data), "an offset is negative");
    row("S14 fraction", fileOf(entry("\"F32\"", "[2]", "[0,8.0]"), data), "an offset is not written as a whole number");
    row("S14 2^53+1", fileOf(entry("\"U8\"", "[9007199254740993]", "[0,9007199254740992]"), data),
        "the data has 9007199254740992 bytes, but shape and dtype need 9007199254740993");
    row("S14 one", fileOf(entry("\"F32\"", "[2]", "[0]"), data), "does not have two numbers");
    row("S14 none", fileOf(entry("\"F32\"", "[2]", "[]"), data), "does not have two numbers");
    row("S14 three", fileOf(entry("\"F32\"", "[2]", "[0,8,8]"), data), "does not have two numbers");
    row("S15 more", fileOf(entry("\"F32\"", "[3]"), data), "the data has 8 bytes, but shape and dtype need 12");
    row("S15 fewer", fileOf(entry("\"F16\"", "[2]"), data), "the data has 8 bytes, but shape and dtype need 4");
}

void SafetensorsTest::addLayout()
{
    const std::string data(8, 'd'), good = entry();
    const auto two = [](const std::string& first, const std::string& second) {
        return std::string("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":")
            .append(first)
            .append("},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":")
            .append(second)
            .append("}}");
    };
    std::string ten = "{";
    for (int i = 0; i < 10; ++i)
        ten.append(i ? "," : "")
            .append("\"t")
            .append(std::to_string(i))
            .append("\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}");
    row("S16 ten on one", fileOf(ten + "}", data), "overlaps another tensor's");
    row("S16 by a byte", fileOf(two("[0,4]", "[3,7]"), data), "overlaps another tensor's");
    row("S16 empty inside",
        fileOf("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[0],"
               "\"data_offsets\":[4,4]}}",
            data),
        "overlaps another tensor's");
    row("S17 start", fileOf(entry("\"F32\"", "[1]", "[4,8]"), data), "4 bytes before tensor \"a\" belong to no tensor");
    row("S17 middle", fileOf(two("[0,4]", "[8,12]"), data + "dddd"), "4 bytes before tensor \"b\" belong to no tensor");
    row("S18 ZIP", fileOf(good, data + "PK\x03\x04zip"), "7 bytes after the last tensor belong to no tensor");
    row("S18 no tensors", fileOf("{}", "x"), "1 bytes after the last tensor belong to no tensor");
    row("S19 one byte", fileOf(good, data.substr(1)), "the data is cut short: 7 bytes of 8");
    row("S19 half", fileOf(good, data.substr(4)), "the data is cut short: 4 bytes of 8");
    row("S19 all", fileOf(good), "the data is cut short: 0 bytes of 8");
}

void SafetensorsTest::addMetadata()
{
    row("S20 number", fileOf("{\"__metadata__\":{\"a\":1}}"), "the value of \"a\" in __metadata__ is not a string");
    row("S20 object", fileOf("{\"__metadata__\":{\"a\":{}}}"), "the value of \"a\" in __metadata__ is not a string");
    row("S20 null", fileOf("{\"__metadata__\":null}"), "__metadata__ is not an object of strings");
    row("S20 list", fileOf("{\"__metadata__\":[]}"), "__metadata__ is not an object of strings");
    row("S20 twice", fileOf("{\"__metadata__\":{},\"__metadata__\":{}}"), "__metadata__ stands twice");
    row("S20 key twice", fileOf("{\"__metadata__\":{\"a\":\"\",\"\\u0061\":\"\"}}"),
        "\"a\" stands twice in __metadata__");
}

void SafetensorsTest::refuses()
{
    QFETCH(QByteArray, content);
    QFETCH(QString, expected);
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "model.safetensors";
    writeRaw(file, content.toStdString());
    const auto message = tensorsRefusal(file);
    QVERIFY2(message.find(expected.toStdString()) != std::string::npos, message.c_str());
    QVERIFY2(message.starts_with(file.string() + ": not a usable safetensors file: "), message.c_str());
    QVERIFY2(message.size() < 600 && message.find('\n') == std::string::npos, message.c_str());
}

void SafetensorsTest::refusesWithoutMemory_data()
{
    QTest::addColumn<QString>("kind");
    QTest::addColumn<QString>("expected");
    QTest::newRow("S5 header of 5 GB in a sparse file") << "sparse header"
                                                        << "more than the format's limit";
    QTest::newRow("S20 value of 50 MB") << "metadata"
                                        << "is longer than 8388608 bytes";
    QTest::newRow("S20 many small values") << "small metadata"
                                           << "__metadata__ is larger than";
    QTest::newRow("S21 100 MB of empty tensors") << "tensors"
                                                 << "more than 65536 tensors";
    QTest::newRow("S13 100 MB of dimensions") << "dimensions"
                                              << "more than 32 dimensions";
    QTest::newRow("S10 100 MB of brackets") << "brackets"
                                            << "nested too deep";
    QTest::newRow("S25 data of 8 GB without owner") << "sparse data"
                                                    << "belong to no tensor";
}

void SafetensorsTest::refusesWithoutMemory()
{
    QFETCH(QString, kind);
    QFETCH(QString, expected);
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "model.safetensors";
    const auto repeated = [](const std::string& start, std::size_t bytes, const std::function<std::string(int)>& next) {
        auto text = start;
        for (int i = 0; text.size() < bytes; ++i) text += next(i);
        return text;
    };
    constexpr std::size_t large = 99'000'000;
    if (kind == "sparse header") writeRaw(file, fileOf("{", {}, 5'000'000'000));
    if (kind == "metadata")
        writeRaw(file, fileOf(join({ "{\"__metadata__\":{\"a\":\"", std::string(50 << 20, 'x'), "\"}}" })));
    if (kind == "small metadata")
        writeRaw(file, fileOf(repeated("{\"__metadata__\":{", large, [](int i) {
            return join({ "\"", std::to_string(i), "\":\"\"," });
        })));
    if (kind == "tensors")
        writeRaw(file, fileOf(repeated("{", large, [](int i) {
            return join({ "\"", std::to_string(i), "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}," });
        })));
    if (kind == "dimensions") writeRaw(file, fileOf(repeated("{\"a\":{\"shape\":[1", large, [](int) { return ",1"; })));
    if (kind == "brackets") writeRaw(file, fileOf(join({ "{\"a\":{\"shape\":", std::string(large, '[') })));
    if (kind == "sparse data") writeRaw(file, fileOf(entry(), std::string(8, 'd')));
    if (kind.startsWith("sparse")) fs::resize_file(file, sparseBytes);

    const auto message = tensorsRefusal(file);
    QVERIFY2(message.find(expected.toStdString()) != std::string::npos, message.c_str());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    // 64 MB on top of what the process has are enough, whatever the file claims.
    const int status = inChild([&] {
        std::int64_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        const auto bytes = rlim_t(pages) * rlim_t(::sysconf(_SC_PAGESIZE)) + (rlim_t(64) << 20);
        const rlimit limit { bytes, bytes };
        ::setrlimit(RLIMIT_AS, &limit);
        return tensorsRefusal(file) == message ? 0 : 1;
    });
    QVERIFY(exitedWith(status, 0));
#endif
}

void SafetensorsTest::everyDefectHasItsOwnSentence()
{
    const std::string data(8, 'd');
    const std::vector<std::string> files { "", fileOf(entry(), data, 1), fileOf(entry(), data, 1000),
        fileOf(join({ " ", entry() }), data), fileOf(withName("\"\xff\""), data), fileOf(entry() + "x", data),
        fileOf("{\"a\":1}"), fileOf(entry("\"f32\""), data), fileOf(entry("\"F32\"", "[-2]"), data),
        fileOf(entry("\"F32\"", "[2.0]"), data), fileOf(entry("\"F32\"", "[3]"), data),
        fileOf(entry("\"F32\"", "[2]", "[8,0]"), data), fileOf(entry("\"F32\"", "[2]", "[0]"), data),
        fileOf(entry("\"F32\"", "[1]", "[4,8]"), data), fileOf(entry(), data + "x"), fileOf(entry(), "x"),
        fileOf("{\"__metadata__\":1}"), fileOf(withName("\"\x1b\""), data), fileOf("{\"a\":{\"dtype\":\"F32\"}}") };
    QTemporaryDir folder;
    std::set<std::string> sentences;
    for (const auto& content : files) {
        writeRaw(pathOf(folder) / "file", content);
        sentences.insert(tensorsRefusal(pathOf(folder) / "file"));
    }
    QCOMPARE(sentences.size(), files.size());
    QVERIFY(!sentences.count({}));
}

void SafetensorsTest::refusesWhatIsNoFile()
{
    QTemporaryDir folder;
    const auto root = pathOf(folder);
    QCOMPARE(::mkfifo((root / "fifo").c_str(), 0600), 0);
    fs::create_symlink("loop", root / "loop");
    QVERIFY(tensorsRefusal(root).find("it is a folder") != std::string::npos);
    QVERIFY(tensorsRefusal(root / "fifo").find("it is not a regular file") != std::string::npos);
    QVERIFY(tensorsRefusal("/dev/zero").find("it is not a regular file") != std::string::npos);
    QVERIFY(tensorsRefusal(root / "loop").find("cannot be read: ") != std::string::npos);
    QVERIFY(tensorsRefusal(root / "none").find("does not exist") != std::string::npos);
    // The largest sparse file that this file system allows; 8 EB on some.
    const auto sparse = root / "sparse";
    writeRaw(sparse, fileOf(entry(), std::string(8, 'd')));
    for (int bits = 63; bits > 30; --bits)
        if (::truncate(sparse.c_str(), off_t((std::uint64_t(1) << bits) - 1)) == 0) break;
    QVERIFY(fs::file_size(sparse) > std::uint64_t(1) << 30);
    QVERIFY(tensorsRefusal(sparse).find("belong to no tensor") != std::string::npos);
}

void SafetensorsTest::noticesChanges()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    const auto prepare = [&](const std::string& content) {
        writeRaw(file, content);
        const timespec long_ago[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
        ::utimensat(AT_FDCWD, file.c_str(), long_ago, 0);
    };
    float out[2] = {};
    const auto attempt = [&](const SafetensorsReader& reader) {
        return messageOf<CheckpointError>([&] { reader.read(reader.tensors().at("a"), out); });
    };
    const auto content = fileOf(entry(), std::string(8, '\0'));
    {
        prepare(content);
        const SafetensorsReader reader(file);
        QVERIFY(attempt(reader).empty());
        fs::resize_file(file, content.size() - 4);
        QVERIFY(attempt(reader).find("changed by another program") != std::string::npos);
    }
    {
        prepare(content);
        const SafetensorsReader reader(file);
        writeRaw(file, fileOf(entry(), std::string(8, '\1'))); // as long as before
        QVERIFY(attempt(reader).find("changed by another program") != std::string::npos);
    }
    {
        prepare(content);
        const SafetensorsReader reader(file);
        writeRaw(pathOf(folder) / "new", fileOf(entry(), std::string(8, '\1')));
        fs::rename(pathOf(folder) / "new", file); // replaced: the open one is still whole
        QVERIFY(attempt(reader).empty());
        QCOMPARE(out[0], 0.f);
    }
    prepare(fileOf(entry("\"BOOL\"", "[8]"), "\1\1\1\2\1\1\1\1"));
    const SafetensorsReader reader(file);
    char flags[8];
    QVERIFY(messageOf<CheckpointError>([&] { reader.read(reader.tensors().at("a"), flags); }).find("other than 0 and 1")
        != std::string::npos);
}

void SafetensorsTest::accepts()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    const float values[3] = { 1.5f, std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity() };
    std::string data(12, '\0');
    std::memcpy(data.data(), values, 12);
    // Order permuted, white space, a scalar, a zero dimension, an escaped name, members in any order, metadata last, an
    // odd length that leaves the data unaligned, padding, and values that are not finite.
    std::string header =
        "{ \"b\" : {\"data_offsets\":[4,12],\"shape\":[2,1] "
        ",\n\t\"dtype\":\"F32\"},\r\n\"scal\\u0061r\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"zero\":{\"dtype\":\"I64\",\"shape\":[3,0,5],\"data_offsets\":[4,4]},\"last\":{\"dtype\":\"U8\",\"shape\":[0]"
        ",\"data_offsets\":[12,12]},"
        "\"__metadata__\":{\"\":\"\",\"k\\n\\ud83d\\ude00\":\"v\\u0000\\\"\\\\\\/\\b\\f\\r\\t\"}}";
    header += header.size() % 2 == 0 ? "   " : "  ";
    QVERIFY(header.size() % 2 == 1);
    writeRaw(file, fileOf(header, data));
    const SafetensorsReader reader(file);
    QCOMPARE(reader.tensors().size(), std::size_t(4));
    QVERIFY(reader.tensors().at("scalar").shape.empty());
    QVERIFY(reader.tensors().at("zero").shape == (std::vector<std::int64_t> { 3, 0, 5 }));
    QCOMPARE(reader.metadata().at("k\n\xf0\x9f\x98\x80"), std::string("v\0\"\\/\b\f\r\t", 9));
    QCOMPARE(reader.metadata().at(""), std::string());
    float out[2] = {};
    reader.read(reader.tensors().at("b"), out);
    QVERIFY(std::isnan(out[0]) && std::isinf(out[1]));
    reader.read(reader.tensors().at("zero"), nullptr);
    reader.read(reader.tensors().at("scalar"), out);
    QCOMPARE(out[0], 1.5f);
    for (const char* empty : { "{}", "{ }", "{}      ", "{\"__metadata__\":{}}" }) {
        writeRaw(file, fileOf(empty));
        QVERIFY(SafetensorsReader(file).tensors().empty());
    }
    fs::create_symlink("file", pathOf(folder) / "link"); // download caches keep models behind links
    QVERIFY(SafetensorsReader(pathOf(folder) / "link").tensors().empty());
}

void SafetensorsTest::names_data()
{
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<bool>("allowed");
    const auto row = [](const char* what, const QByteArray& name, bool allowed) {
        QTest::newRow(what) << name << allowed;
    };
    row("usual", "model.layers.0.self_attn.q_proj.weight", true);
    row("slashes", "encoder/layer_0/kernel:0", true);
    row("blanks and signs", "a b (c) [d] & 'e' \\\"f\\\"", true);
    row("letters", "gewicht \xc3\xa4 \xe9\x87\x8d\xe3\x81\xbf \xf0\x9f\x98\x80", true);
    row("dots", "a..b", true);
    row("longest", QByteArray(1024, 'n'), true);
    row("too long", QByteArray(1025, 'n'), false);
    row("upwards", "../../etc/passwd", false);
    row("upwards inside", "a/../b", false);
    row("terminal", "\\u001b[2J", false);
    row("newline", "a\\nb", false);
    row("delete", "a\x7f", false);
    row("C1", "a\xc2\x9b", false);
    row("markup", "<img src=x>", false);
    row("right to left",
        "a\xe2\x80\xae"
        "b",
        false);
    row("isolate",
        "a\xe2\x81\xa6"
        "b",
        false);
    row("zero width",
        "a\xe2\x80\x8b"
        "b",
        false);
    row("byte order mark",
        "\xef\xbb\xbf"
        "a",
        false);
    row("line separator", "a\xe2\x80\xa8", false);
}

void SafetensorsTest::names()
{
    QFETCH(QByteArray, name);
    QFETCH(bool, allowed);
    const auto header = withName(join({ "\"", name.toStdString(), "\"" }));
    std::map<std::string, TensorEntry> tensors;
    std::map<std::string, std::string> metadata;
    const auto message = messageOf<CheckpointError>(
        [&] { SafetensorsReader::parseHeader(header, 8 + header.size() + 8, tensors, metadata); });
    QVERIFY2(message.empty() == allowed, message.c_str());
    QVERIFY(message.find('\x1b') == std::string::npos && message.find('\n') == std::string::npos);
}

void SafetensorsTest::roundTrip()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    std::vector<TensorToWrite> tensors;
    std::vector<std::vector<char>> storage;
    int n = 0;
    for (const char* dtype : { "F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL" })
        for (const auto& shape :
            std::vector<std::vector<std::int64_t>> { {}, { 0 }, { 7 }, { 3, 5 }, { 2, 1, 3, 1 } }) {
            std::int64_t bytes = dtypeBytes(dtype);
            for (const auto d : shape) bytes *= d;
            auto& values = storage.emplace_back(std::size_t(bytes));
            for (auto& c : values) c = char(std::string(dtype) == "BOOL" ? n % 2 : n * 31), ++n;
            tensors.push_back({ dtype + std::string(".") + std::to_string(shape.size()) + "\xc3\xa4\"", dtype, shape,
                values.data() });
        }
    const std::map<std::string, std::string> metadata { { "config", "{\"a\":\"\\n\"}" }, { "format", "pt" },
        { "", "\xe2\x82\xac" } };
    for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].name += std::to_string(i);
    writeSafetensors(file, tensors, metadata);

    const SafetensorsReader reader(file);
    QCOMPARE(reader.tensors().size(), tensors.size());
    QVERIFY(reader.metadata() == metadata);
    std::int64_t end = 0;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const auto& e = reader.tensors().at(tensors[i].name);
        QVERIFY(e.dtype == tensors[i].dtype && e.shape == tensors[i].shape);
        QCOMPARE(e.begin, end); // in the order given
        end = e.end;
        std::vector<char> out(storage[i].size());
        reader.read(e, out.data());
        QVERIFY(out == storage[i]);
    }
    const auto bytes = readRaw(file);
    QCOMPARE(bytes[0] & 7, 0);
    QVERIFY(bytes.substr(8).starts_with("{\"__metadata__\":{"));
    writeSafetensors(file, {}, {});
    QCOMPARE(readRaw(file).size(), std::size_t(16));
    QVERIFY(SafetensorsReader(file).tensors().empty());
}

void SafetensorsTest::writerRefusesNonsense()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    const float x = 1;
    const auto attempt = [&](const std::vector<TensorToWrite>& tensors) {
        return messageOf([&] { writeSafetensors(file, tensors, {}); });
    };
    QVERIFY(
        attempt({ { "a", "F32", { 1 }, &x }, { "a", "F32", { 1 }, &x } }).find("written twice") != std::string::npos);
    QVERIFY(attempt({ { "a", "float", { 1 }, &x } }).find("no valid dtype") != std::string::npos);
    QVERIFY(attempt({ { "a", "F32", { -1 }, &x } }).find("no valid dtype") != std::string::npos);
    QVERIFY(attempt({ { "a", "F32", { std::int64_t(1) << 62 }, &x } }).find("no valid dtype") != std::string::npos);
    QVERIFY(fs::is_empty(pathOf(folder)));
}

void SafetensorsTest::writerFailsCleanly()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    const float x = 1;
    writeSafetensors(file, {}, {});
    const auto before = readRaw(file);
    for (int operation = 1; operation <= 6; ++operation) { // open, three writes, sync, close
        const Fault fault(operation, ENOSPC);
        QVERIFY(messageOf<IoError>([&] {
            writeSafetensors(file, { { "a", "F32", { 1 }, &x } }, {});
        }).find("No space left")
            != std::string::npos);
        QCOMPARE(readRaw(file), before);
        QCOMPARE(countTemporaries(pathOf(folder)), 0);
    }
}

PHA_TEST(SafetensorsTest)
#include "safetensors_test.moc"
