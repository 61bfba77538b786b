// SPDX-License-Identifier: GPL-3.0-or-later
// Metrics in other tools' formats. The TensorBoard file is read back by a reader written from the published formats:
// TFRecord framing with CRC-32C, and protocol buffer wire types.
#include "engine/base/base64.h"
#include "engine/base/error.h"
#include "engine/run/export_folder.h"
#include "engine/run/film.h"
#include "engine/run/metrics.h"
#include "engine/run/run_export.h"
#include "run_fixtures.h"
#include "run_tools.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>
#include <cstring>
#include <map>

using namespace pha;
using namespace pha::test;

namespace {

/// Bit by bit, and with the other bit order than the table of the exporter: another way to the same number.
std::uint32_t slowCrc32c(const std::string& bytes)
{
    const auto reverse = [](std::uint32_t value, int bits) {
        std::uint32_t result = 0;
        for (int i = 0; i < bits; ++i) result |= (value >> i & 1) << (bits - 1 - i);
        return result;
    };
    std::uint32_t remainder = 0xffffffffu;
    for (const char c : bytes) {
        remainder ^= reverse(std::uint8_t(c), 8) << 24;
        for (int bit = 0; bit < 8; ++bit)
            remainder = remainder & 0x80000000u ? remainder << 1 ^ 0x1edc6f41u : remainder << 1;
    }
    return ~reverse(remainder, 32);
}

/// The fields of a protocol buffer message by number: raw bytes of each occurrence.
std::multimap<int, std::string> fieldsOf(const std::string& message)
{
    std::size_t at = 0;
    const auto varint = [&] {
        std::uint64_t value = 0;
        for (int shift = 0;; shift += 7) {
            const auto byte = std::uint8_t(message.at(at++));
            value |= std::uint64_t(byte & 127) << shift;
            if (!(byte & 128)) return value;
        }
    };
    std::multimap<int, std::string> fields;
    while (at < message.size()) {
        const auto key = varint();
        const auto take = [&](std::size_t size) {
            if (at + size > message.size()) throw std::out_of_range("a field beyond its message");
            at += size;
            return message.substr(at - size, size);
        };
        std::string value;
        if ((key & 7) == 0)
            value = std::to_string(varint());
        else if ((key & 7) == 1)
            value = take(8);
        else if ((key & 7) == 5)
            value = take(4);
        else if ((key & 7) == 2)
            value = take(std::size_t(varint()));
        else
            throw std::out_of_range("an unknown wire type");
        fields.emplace(int(key >> 3), value);
    }
    return fields;
}

std::string one(const std::multimap<int, std::string>& fields, int number)
{
    if (fields.count(number) != 1) throw std::out_of_range("field " + std::to_string(number));
    return fields.find(number)->second;
}

template <class T> T as(const std::string& bytes)
{
    T value;
    if (bytes.size() != sizeof value) throw std::out_of_range("a number of another size");
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

/// The messages of a TFRecord file; throws at a wrong checksum.
std::vector<std::string> recordsOf(const std::string& file)
{
    const auto check = [](const std::string& bytes, std::uint32_t masked) {
        const std::uint32_t rotated = masked - 0xa282ead8u;
        if ((rotated >> 17 | rotated << 15) != slowCrc32c(bytes)) throw std::out_of_range("a checksum is wrong");
    };
    std::vector<std::string> records;
    for (std::size_t at = 0; at < file.size();) {
        const auto length = file.substr(at, 8);
        check(length, as<std::uint32_t>(file.substr(at + 8, 4)));
        const auto size = std::size_t(as<std::uint64_t>(length));
        records.push_back(file.substr(at + 12, size));
        check(records.back(), as<std::uint32_t>(file.substr(at + 12 + size, 4)));
        at += 16 + size;
    }
    return records;
}

} // namespace

class ExportTest : public QObject {
    Q_OBJECT

    QTemporaryDir home_;
    fs::path run_;

private Q_SLOTS:
    void initTestCase()
    {
        const auto run = makeRun(home_);
        run_ = run.root();
        MetricsWriter metrics(run.metricsFile());
        metrics.append(StepEvent { 1, 96, 0.5, 4.25, 1e-3, 2, 192, 1000, 2000, true, {}, {}, 1.5 });
        metrics.append(StepEvent { 2, 192, 1, std::nan(""), 1e-3, 2, 192, 1000, 2000, false });
        metrics.append(EvalEvent { 2, "valid", 1.5, 1500, 1000, 700, 4000, 4.48, 9.1, 0.54, 256, 128, 1.25, 0.5,
            "muted, \"all\"", "strided" });
        metrics.append(MixingEvent { 2, { { { { "gss", 0.5 }, { "attention", 0.25 } }, 0.9 } } });
        metrics.append(RecallEvent { 2, "valid", { { 0, 8, 100, 90, 0.125 } }, 0.9, 0.125 });
        metrics.append(
            HeadsEvent { 2, 5.5, 4.25, { { 0.5, 0, "attention", 3, 2 }, {}, {}, {}, { 0.75, 2, "attention", 7, 1 } } });
        metrics.append(TimeEvent { 2, 0.5, 0.125, 3, 2, 1, 0.25 });
        metrics.append(SampleEvent { 2, "Once", " upon\na time" });
        metrics.append(AlertEvent { 2, "not_finite", "the loss, again", std::nan(""), 2 });
        metrics.append(StatusEvent { 2, RunState::Finished, {} });
    }

    void checksumsAreThePublishedOnes()
    {
        // RFC 3720, B.4
        QCOMPARE(crc32c(std::string(32, '\0')), 0x8a9136aau);
        QCOMPARE(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
        QCOMPARE(crc32c("123456789"), 0xe3069283u);
        QCOMPARE(crc32c("PHA"), slowCrc32c("PHA"));
    }

    void csvTablesAreExact()
    {
        const auto files = exportCsv(run_, run_ / "tables");
        QCOMPARE(files.size(), std::size_t(8));
        QCOMPARE(readRaw(run_ / "tables/steps.csv"),
            std::string("step,tokens,seconds,loss,lr,grad_norm,tokens_per_second,process_bytes,device_bytes,applied,"
                        "cores_busy,device_use,watts,celsius\r\n"
                        "1,96,0.5,4.25,0.001,2,192,1000,2000,1,1.5,,,\r\n2,192,1,,0.001,2,192,1000,2000,0,,,,\r\n"));
        QVERIFY(readRaw(run_ / "tables/evaluations.csv")
                    .ends_with("\r\n2,valid,1.5,1500,1000,700,4000,4.48,9.1,0.54,256,128,strided,1.25,\"muted, "
                               "\"\"all\"\"\"\r\n"));
        QCOMPARE(readRaw(run_ / "tables/time.csv"),
            std::string(
                "step,updates,data,evaluation,samples,checkpoints,monitoring,gemm\r\n2,0.5,0.125,3,2,1,0.25,\r\n"));
        QVERIFY(readRaw(run_ / "tables/samples.csv").ends_with("2,Once,\" upon\na time\"\r\n"));
        QVERIFY(readRaw(run_ / "tables/mixing.csv").find("\r\n2,0,attention,0.25,") != std::string::npos);
        QCOMPARE(readRaw(run_ / "tables/heads.csv"),
            std::string(
                "step,first_nll,second_nll,previous_token,previous_token_head,previous_token_named,self,self_head,"
                "self_named,first_token,first_token_head,first_token_named,same_token,same_token_head,"
                "same_token_named,induction,induction_head,induction_named\r\n"
                "2,5.5,4.25,0.5,L0 attention 3,2,,,,,,,,,,0.75,L2 attention 7,1\r\n"));
        QVERIFY(readRaw(run_ / "tables/alerts.csv").ends_with("\r\n2,not_finite,\"the loss, again\",,,,2,,,\r\n"));
        exportCsv(run_, run_ / "tables"); // again: the same files
        QCOMPARE(qint64(std::distance(fs::directory_iterator(run_ / "tables"), {})), qint64(8));
    }

    /// Rows go to the disk before all of them are known.
    void longTablesAreWhole()
    {
        QTemporaryDir home;
        const auto run = makeRun(home);
        std::string metrics, rows;
        for (int i = 1; i <= 60'000; ++i) {
            const auto step = std::to_string(i);
            metrics += "{\"type\":\"step\",\"step\":" + step + ",\"loss\":1.5}\n";
            rows += step + ",0,0,1.5,0,0,0,0,0,1,,,,\r\n";
        }
        writeRaw(run.metricsFile(), metrics + lineOf(SampleEvent { 60'000, "Once", " more" }));
        const auto files = exportCsv(run.root(), run.root() / "tables");
        QCOMPARE(files, (std::vector<fs::path> { run.root() / "tables/steps.csv", run.root() / "tables/samples.csv" }));
        const auto table = readRaw(files[0]);
        QVERIFY(table.size() > std::size_t(1) << 20);
        QVERIFY(table.substr(table.find('\n') + 1) == rows);
        for (const auto& write : { exportCsv, exportTensorBoard }) {
            for (const auto* folder : { "new/below", "tables" }) {
                for (int at = 1;; ++at) {
                    const Fault fault(at, ENOSPC);
                    const auto message = messageOf([&] { write(run.root(), run.root() / folder, nullptr); });
                    if (!fault.happened() || at > 12) break;
                    QVERIFY(!message.empty());
                    QVERIFY(!fs::exists(run.root() / "new"));
                    QCOMPARE(countTemporaries(run.root()), 0);
                }
                fs::remove_all(run.root() / "new");
            }
        }
        QVERIFY(readRaw(files[0]) == table);
    }

    void distillationIsExported()
    {
        QTemporaryDir home;
        const auto run = makeRun(home);
        MetricsWriter metrics(run.metricsFile());
        metrics.append(StepEvent { 1, 96, 0.5, 4.25, 1e-3, 2, 192, 1000, 2000, true, 2.5, 2.25 });
        metrics.append(StepEvent { 2, 192, 1, 4, 1e-3, 2, 192, 1000, 2000, true });
        exportCsv(run.root(), run.root() / "tables");
        QCOMPARE(readRaw(run.root() / "tables/distillation.csv"),
            std::string("step,distillation,distillation_floor\r\n1,2.5,2.25\r\n"));
        const auto board = readRaw(exportTensorBoard(run.root(), run.root() / "board").front());
        QVERIFY(board.find("loss/distillation floor") != std::string::npos);
    }

    void tensorBoardReadsTheEvents()
    {
        const auto files = exportTensorBoard(run_, run_ / "board");
        QCOMPARE(files.size(), std::size_t(1));
        QVERIFY(files[0].filename().string().starts_with("events.out.tfevents."));
        const auto records = recordsOf(readRaw(files[0]));
        const auto head = fieldsOf(records.at(0));
        QCOMPARE(one(head, 3), std::string("brain.Event:2"));
        const double created = as<double>(one(head, 1));
        QCOMPARE(created, 1769860800.0); // 2026-01-31T12:00:00Z

        std::map<std::string, std::pair<std::int64_t, float>> scalars;
        std::string sample;
        for (std::size_t i = 1; i < records.size(); ++i) {
            const auto event = fieldsOf(records[i]);
            const auto value = fieldsOf(one(fieldsOf(one(event, 5)), 1));
            const auto tag = one(value, 1);
            if (value.count(2)) {
                scalars[tag] = { std::stoll(one(event, 2)), as<float>(one(value, 2)) };
                QVERIFY(as<double>(one(event, 1)) >= created + 0.5);
            } else {
                QCOMPARE(one(fieldsOf(one(fieldsOf(one(value, 9)), 1)), 1), std::string("text"));
                const auto tensor = fieldsOf(one(value, 8));
                QCOMPARE(one(tensor, 1), std::string("7")); // DT_STRING
                sample = one(tensor, 8);
            }
        }
        QCOMPARE(sample, std::string("Once upon\na time"));
        QCOMPARE(scalars.at("optimiser/learning_rate").second, 1e-3F);
        QVERIFY(std::isnan(scalars.at("loss/train").second));
        QVERIFY(scalars.at("loss/valid (muted, \"all\")") == std::pair(std::int64_t(2), 1.5F));
        QCOMPARE(scalars.at("mixing/layer 0/gss").second, 0.5F);
        QCOMPARE(scalars.at("recall/valid").second, 0.9F);
        QCOMPARE(scalars.at("heads/in-context gain").second, 1.25F);
        QCOMPARE(scalars.at("heads/strongest induction").second, 0.75F);
        QCOMPARE(scalars.at("time/evaluation").second, 3.0F);
    }

    void whatIsNoRunIsRefused()
    {
        QVERIFY_EXCEPTION_THROWN(exportCsv(home_.path().toStdString(), run_ / "x"), CheckpointError);
        QVERIFY_EXCEPTION_THROWN(exportTensorBoard(home_.path().toStdString(), run_ / "x"), CheckpointError);
        QVERIFY(!fs::exists(run_ / "x"));
    }

    void whatFailsLeavesNoFolder()
    {
        QVERIFY(fs::create_directory(run_ / "here"));
        for (const auto& write : { exportCsv, exportTensorBoard, exportFilm }) {
            for (const auto* folder : { "new/below", "here", "new/" }) {
                for (int at = 1;; ++at) { // each operation on the disk in turn
                    const Fault fault(at, ENOSPC);
                    std::string message;
                    try {
                        write(run_, run_ / folder, nullptr);
                    } catch (const Error& error) {
                        message = error.what();
                    }
                    if (!fault.happened()) break;
                    QVERIFY(!message.empty());
                    QVERIFY2(!fs::exists(run_ / "new"), folder);
                    QVERIFY2(fs::is_directory(run_ / "here"), folder);
                }
                fs::remove_all(run_ / "new");
            }
        }
    }

    void whatOthersPutThereStays()
    {
        const auto outer = run_ / "outer", inner = outer / "inner";
        const auto file = [](const fs::path& path) { std::ofstream(path) << "1"; };
        {
            ExportFolder made(inner);
            file(made.add("ours.csv"));
            made.add("never written.csv");
        }
        QVERIFY(!fs::exists(outer));
        {
            ExportFolder made(inner);
            file(made.add("ours.csv"));
            file(inner / "theirs.txt");
        }
        QVERIFY(!fs::exists(inner / "ours.csv") && fs::exists(inner / "theirs.txt"));
        {
            ExportFolder made(inner); // is there by now
            file(made.add("ours.csv"));
        }
        QVERIFY(fs::exists(inner / "ours.csv"));
        {
            ExportFolder made(outer / "kept/");
            file(made.add("ours.csv"));
            QCOMPARE(made.keep(), std::vector<fs::path> { outer / "kept/ours.csv" });
        }
        QVERIFY(fs::exists(outer / "kept/ours.csv"));
    }

    void base64IsThePublishedOne()
    {
        // RFC 4648, 10
        const std::pair<const char*, const char*> vectors[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
            { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
        for (const auto& [bytes, text] : vectors) {
            QCOMPARE(toBase64(bytes), std::string(text));
            QCOMPARE(fromBase64(text).value_or("none"), std::string(bytes));
        }
        std::string all;
        for (int i = 0; i < 256; ++i) all += char(i);
        QCOMPARE(fromBase64(toBase64(all)).value_or(""), all);
        for (const char* bad : { "Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "Zm9v\n", "Z===", "====", "Zm9*" })
            QVERIFY2(!fromBase64(bad), bad);
    }
};

PHA_TEST(ExportTest)
#include "export_test.moc"
