// SPDX-License-Identifier: GPL-3.0-or-later
// What can be said without LibTorch: help, lists, and every wrong use of the command line.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class CommandLineTest : public QObject {
    Q_OBJECT

private:
    Home home_;

private Q_SLOTS:
    void initTestCase()
    {
        home_.write("broken.json", "{\"layers\": 2");
        home_.write("list.json", "[]");
        home_.write("unknown.json", R"({"layres": 2})");
        home_.write("wrong_type.json", R"({"layers": "many"})");
        home_.write("out_of_range.json", R"({"training": {"steps": -1}})");
        home_.write("duplicate.json", R"({"layers": 2, "layers": 3})");
        home_.write("deep.json", QByteArray(2000, '[') + QByteArray(2000, ']'));
        home_.write("empty.txt", "");
        home_.write("empty.json", "");
    }

    void helpOfEveryCommandHasAnExample_data()
    {
        QTest::addColumn<QStringList>("command");
        for (const auto* name : { "train", "join", "sweep", "eval", "generate", "inspect", "compare", "scaling", "runs",
                 "average", "export", "bench", "data", "tokenizer", "logits", "selftest", "presets" })
            QTest::newRow(name) << QStringList { name };
        for (const auto* verb : { "note", "tag", "archive", "restore", "import" })
            QTest::newRow(QByteArray("runs ").append(verb)) << QStringList { "runs", verb };
        QTest::newRow("data list") << QStringList { "data", "list" };
        QTest::newRow("data info") << QStringList { "data", "info" };
        for (const auto* verb : { "train", "encode", "decode", "info" })
            QTest::newRow(QByteArray("tokenizer ").append(verb)) << QStringList { "tokenizer", verb };
        QTest::newRow("data prepare") << QStringList { "data", "prepare" };
        QTest::newRow("data download") << QStringList { "data", "download" };
    }

    void helpOfEveryCommandHasAnExample()
    {
        QFETCH(QStringList, command);
        const auto result = home_.run(command + QStringList { "--help" });
        QCOMPARE(result.code, 0);
        QCOMPARE(result.err, QByteArray());
        QVERIFY(result.out.contains("Example: pha " + command.join(' ').toUtf8()));
        QVERIFY(result.out.contains("--json"));
    }

    void helpListsTheCommands()
    {
        const auto result = home_.run({ "--help" });
        QCOMPARE(result.code, 0);
        for (const auto* name : { "train", "sweep", "eval", "generate", "inspect", "compare", "bench", "data", "logits",
                 "selftest", "presets" })
            QVERIFY2(result.out.contains(name), name);
    }

    void helpFieldsListsEveryKey()
    {
        const auto fields = home_.run({ "train", "--help-fields" });
        QCOMPARE(fields.code, 0);
        const auto config = home_.run({ "presets", "pha-tiny", "--json" }).json()["config"].toObject();
        int keys = 0;
        for (const auto* group : { "model", "data", "training" })
            for (const auto& key : config[group].toObject().keys()) {
                QVERIFY2(fields.out.contains("  " + key.toUtf8() + "\n"), qPrintable(key));
                ++keys;
            }
        QVERIFY(keys > 40);
        const auto list = home_.run({ "train", "--help-fields", "--json" }).jsonArray();
        QCOMPARE(int(list.size()), keys);
        for (const auto* part : { "name", "section", "help", "accepts" })
            QVERIFY2(!list.last().toObject()[part].toString().isEmpty(), part);
    }

    void presetsAreListedWithCounts()
    {
        const auto result = home_.run({ "presets", "--json" });
        QCOMPARE(result.code, 0);
        QStringList names;
        for (const auto& value : result.jsonArray()) {
            const auto preset = value.toObject();
            names << preset["name"].toString();
            QVERIFY(preset["parameters"].toDouble() > 100'000);
            QVERIFY(preset["trainable"].toDouble() <= preset["parameters"].toDouble());
            QVERIFY(!preset["summary"].toString().isEmpty());
        }
        for (const auto* name :
            { "pha-tiny", "pha-small", "pha-90m", "pha-125m", "pha-180m", "pha-125m-s4d", "pha-lean-tiny" })
            QVERIFY2(names.contains(name), name);
        const auto table = home_.run({ "presets" }).out;
        for (const auto& name : names) QVERIFY(table.contains(name.toUtf8()));
        QVERIFY2(table.contains("tiny presets are counted with 4,096 pieces; the recipe takes at most 1,024"),
            table.constData());
        QVERIFY(home_.run({ "presets", "pha-tiny" }).out.contains("with 4,096 pieces; the recipe takes at most 1,024"));
        const auto small = home_.run({ "presets", "pha-small" }).out;
        QVERIFY2(small.contains(" of them trainable, with 16,384 pieces\n"), small.constData());
    }

    void partsOfAPresetSumToItsCount()
    {
        const auto preset = home_.run({ "presets", "pha-125m", "--json" }).json();
        double sum = 0;
        for (const auto& count : preset["parts"].toObject()) sum += count.toDouble();
        QCOMPARE(sum, preset["parameters"].toDouble());
        QVERIFY(home_.run({ "presets", "pha-125m" }).out.contains("mix_mode"));
        // A cache that is filled in chunks never holds more than one.
        const auto chunked = home_.run({ "presets", "gss-hybrid-125m-4" }).out;
        QVERIFY2(chunked.contains("(keys and values in fp32, of at most 512 tokens)"), chunked.constData());
    }

    void dataListNamesStories()
    {
        const auto names = home_.run({ "data", "list", "--json" }).jsonArray();
        QVERIFY(!names.isEmpty());
        QCOMPARE(names.first().toObject()["name"].toString(), "stories");
    }

    void laterSettingsWin()
    {
        const auto file = home_.write("settings.json", R"({"layers": 3, "training": {"steps": 30, "batch_size": 4}})");
        const auto result = home_.run({ "train", "--preset", "pha-tiny", "--config", file, "--set", "batch_size=5",
            "--set", "steps=31", "--steps", "32", "--dry-run", "--json" });
        QCOMPARE(result.code, 0);
        const auto config = result.json()["config"].toObject();
        QCOMPARE(config["model"].toObject()["layers"].toInt(), 3);
        QCOMPARE(config["training"].toObject()["batch_size"].toInt(), 5);
        QCOMPARE(config["training"].toObject()["steps"].toInt(), 32);
        QVERIFY(result.json()["parameters"].toDouble() > 0);
        QVERIFY(result.json()["training_bytes"].toDouble() > 0);
        QVERIFY2(!QDir(home_.path("share")).exists(), "a dry run creates nothing");
    }

    /// More tokens than an integer holds.
    void theLongestRunIsPlanned()
    {
        const QStringList plan { "--preset", "pha-tiny", "--steps", "9000000000000000", "--dry-run" };
        const auto result = home_.run(QStringList { "train" } + plan + QStringList { "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(result.json()["tokens"].toDouble() > 9e18, result.out.constData());
        const auto text = home_.run(QStringList { "train" } + plan).out;
        QVERIFY2(text.contains("\ntokens         9,223,372,036,854,775,807 in"), text.constData());
        const auto sweep = home_.run(QStringList { "sweep", "--name", "long" } + plan);
        QVERIFY2(sweep.out.contains(" 9,223,372,036,854,775,807 tokens, below"), sweep.out.constData());
    }

    void badInput_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("says");
        const auto train = [](const QStringList& more) {
            return QStringList { "train", "--preset", "pha-tiny", "--run", "new" } + more;
        };
        QTest::newRow("no command") << QStringList {} << "no command";
        QTest::newRow("unknown command") << QStringList { "trian" } << "nearest is train";
        QTest::newRow("nothing like it") << QStringList { "cook" } << "\"cook\" is no command; run";
        QTest::newRow("unknown verb") << QStringList { "tokenizer", "encoed" } << "nearest is encode";
        QTest::newRow("unknown option") << train({ "--stepz", "3" }) << "--stepz";
        QTest::newRow("missing value") << train({ "--steps" }) << "--steps";
        QTest::newRow("given twice") << train({ "--steps", "3", "--steps", "4" }) << "--steps is given 2 times";
        QTest::newRow("no preset") << QStringList { "train" } << "--preset";
        QTest::newRow("unknown preset") << QStringList { "train", "--preset", "pha-tyni" } << "pha-tiny";
        QTest::newRow("empty preset") << QStringList { "train", "--preset", "" } << "--preset";
        QTest::newRow("unknown preset to show") << QStringList { "presets", "nosuch" } << "`pha presets` lists\n";
        QTest::newRow("unknown key") << train({ "--set", "layrs=2" }) << "layers";
        QTest::newRow("no equals sign") << train({ "--set", "layers" }) << "KEY=VALUE";
        QTest::newRow("no key") << train({ "--set", "=2" }) << "KEY=VALUE";
        QTest::newRow("wrong type") << train({ "--set", "layers=two" }) << "layers";
        QTest::newRow("fraction for an integer") << train({ "--set", "layers=1.5" }) << "layers";
        QTest::newRow("empty value") << train({ "--set", "layers=" }) << "layers";
        QTest::newRow("zero") << train({ "--set", "layers=0" }) << "layers";
        QTest::newRow("negative") << train({ "--steps", "-1" }) << "steps";
        QTest::newRow("too large") << train({ "--steps", "99999999999999999999" }) << "steps";
        QTest::newRow("larger than any number of steps")
            << train({ "--steps", "9223372036854775807" }) << "from 1 to 9000000000000000\n";
        QTest::newRow("empty number") << train({ "--steps", "" }) << "steps";
        QTest::newRow("not a number") << train({ "--set", "learning_rate=nan" }) << "learning_rate";
        QTest::newRow("infinite") << train({ "--set", "learning_rate=inf" }) << "learning_rate";
        QTest::newRow("unknown choice") << train({ "--set", "mix_mode=hardmax" }) << "softplus";
        QTest::newRow("unknown device") << train({ "--device", "tpu" }) << "tpu";
        QTest::newRow("unknown precision") << train({ "--precision", "fp4" }) << "fp4";
        QTest::newRow("width and heads") << train({ "--set", "width=30", "--set", "query_heads=4" }) << "width";
        QTest::newRow("config without a name") << train({ "--config", "" }) << "--config is empty";
        QTest::newRow("weights without a name") << train({ "--init-from", "" }) << "--init-from is empty";
        QTest::newRow("config missing") << train({ "--config", "nosuch.json" }) << "nosuch.json";
        QTest::newRow("config empty") << train({ "--config", "empty.json" }) << "empty.json";
        QTest::newRow("config is a folder") << train({ "--config", "." }) << ".";
        QTest::newRow("config not JSON") << train({ "--config", "broken.json" }) << "broken.json";
        QTest::newRow("config a list") << train({ "--config", "list.json" }) << "";
        QTest::newRow("config too deep") << train({ "--config", "deep.json" }) << "";
        QTest::newRow("config unknown key") << train({ "--config", "unknown.json" }) << "layres";
        QTest::newRow("config wrong type") << train({ "--config", "wrong_type.json" }) << "layers";
        QTest::newRow("config out of range") << train({ "--config", "out_of_range.json" }) << "steps";
        QTest::newRow("config duplicate key") << train({ "--config", "duplicate.json" }) << "layers";
        QTest::newRow("plan without data") << train({ "--dry-run", "--data", "nosuch" }) << "nosuch";
        QTest::newRow("plan with an empty text")
            << train({ "--dry-run", "--data", "empty.txt" }) << "empty.txt: is empty";
        QTest::newRow("plan without weights") << train({ "--dry-run", "--init-from", "nosuch" }) << "nosuch";
        QTest::newRow("plan below a file")
            << QStringList { "train", "--preset", "pha-tiny", "--dry-run", "--run", "empty.txt/new" } << "is a file";
        QTest::newRow("resume nothing") << QStringList { "train", "--resume", "nosuch" } << "nosuch";
        QTest::newRow("resume with preset")
            << QStringList { "train", "--resume", ".", "--preset", "pha-tiny" } << "--preset";
        QTest::newRow("eval without target") << QStringList { "eval" } << "target";
        QTest::newRow("eval with its target behind a setting")
            << QStringList { "eval", "--set", "data_seed=2", "nosuch" } << "nosuch";
        QTest::newRow("two settings of one option")
            << train({ "--dry-run", "--set", "layers=2", "width=64" }) << "not expected: width=64";
        QTest::newRow("eval bad split") << QStringList { "eval", ".", "--split", "half" } << "half";
        QTest::newRow("eval bad stride") << QStringList { "eval", ".", "--stride", "0" } << "--stride";
        QTest::newRow("eval bad context") << QStringList { "eval", ".", "--context", "-5" } << "--context";
        QTest::newRow("eval context as a setting may be written")
            << QStringList { "eval", ".", "--context", "1e3" } << "run.json";
        QTest::newRow("eval context with more behind it")
            << QStringList { "eval", ".", "--context", "1e3x" } << "--context";
        QTest::newRow("tokens empty") << QStringList { "logits", ".", "--tokens", " ", "--out", "l" } << "--tokens";
        QTest::newRow("eval bad mute") << QStringList { "eval", ".", "--mute", "gss" } << "LAYER:BRANCH";
        QTest::newRow("eval bad mix") << QStringList { "eval", ".", "--mix", "0:0.5,x,1" } << "--mix";
        QTest::newRow("eval negative mix") << QStringList { "eval", ".", "--mix", "0:0.5,-1,1" } << "--mix";
        QTest::newRow("eval mix beyond fp32")
            << QStringList { "eval", ".", "--mix", "0:1e308,1,1" } << "from 0 to 1000000";
        QTest::newRow("ablation by position")
            << QStringList { "eval", ".", "--ablation", "--by-position" } << "--by-position";
        QTest::newRow("generate without prompt") << QStringList { "generate", "." } << "--prompt";
        QTest::newRow("generate two prompts")
            << QStringList { "generate", ".", "--prompt", "a", "--prompt-file", "b" } << "--prompt-file";
        QTest::newRow("prompt file missing")
            << QStringList { "generate", ".", "--prompt-file", "nosuch.txt" } << "nosuch.txt";
        QTest::newRow("prompt file without a name")
            << QStringList { "generate", ".", "--prompt-file", "" } << "--prompt-file is empty";
        const auto generate = [](const QStringList& more) {
            return QStringList { "generate", ".", "--prompt", "a" } + more;
        };
        QTest::newRow("temperature NaN") << generate({ "--temperature", "nan" }) << "temperature";
        QTest::newRow("temperature negative") << generate({ "--temperature", "-1" }) << "temperature";
        QTest::newRow("temperature infinite") << generate({ "--temperature", "inf" }) << "temperature";
        QTest::newRow("temperature word") << generate({ "--temperature", "warm" }) << "temperature";
        QTest::newRow("temperature empty") << generate({ "--temperature", "" }) << "temperature";
        QTest::newRow("top-p above one") << generate({ "--top-p", "1.5" }) << "top";
        QTest::newRow("top-p zero") << generate({ "--top-p", "0" }) << "top";
        QTest::newRow("top-k negative") << generate({ "--top-k", "-3" }) << "top";
        QTest::newRow("penalty zero") << generate({ "--repetition-penalty", "0" }) << "penalty";
        QTest::newRow("max tokens negative") << generate({ "--max-tokens", "-1" }) << "tokens";
        QTest::newRow("tokens not numbers")
            << QStringList { "logits", ".", "--tokens", "5,six", "--out", "l" } << "six";
        QTest::newRow("tokens with blanks")
            << QStringList { "logits", ".", "--tokens", "5, 6 ,7", "--out", "l" } << "run.json";
        QTest::newRow("tokens empty part")
            << QStringList { "logits", ".", "--tokens", "5,,6", "--out", "l" } << "--tokens";
        QTest::newRow("tokens negative") << QStringList { "logits", ".", "--tokens=-5", "--out", "l" } << "--tokens";
        QTest::newRow("maps without a text") << QStringList { "inspect", ".", "--out", "m" } << "--text";
        QTest::newRow("lens of costs") << QStringList { "inspect", ".", "--costs", "--lens" } << "--lens";
        QTest::newRow("activations of costs")
            << QStringList { "inspect", ".", "--costs", "--activations" } << "--activations";
        QTest::newRow("activations without a text") << QStringList { "inspect", ".", "--activations" } << "--text";
        QTest::newRow("lens without a text") << QStringList { "inspect", ".", "--lens" } << "--text";
        QTest::newRow("two texts") << QStringList { "inspect", ".", "--text", "a", "--text-file", "b" }
                                   << "use one of them";
        QTest::newRow("a text and weights")
            << QStringList { "inspect", ".", "--text", "a", "--weights" } << "a text and --weights";
        QTest::newRow("weights muted") << QStringList { "inspect", ".", "--weights", "--mute", "all:gss" } << "--mute";
        QTest::newRow("alerts and costs")
            << QStringList { "inspect", ".", "--alerts", "--costs" } << "--alerts and --costs";
        QTest::newRow("heads of a text") << QStringList { "inspect", ".", "--text", "a", "--heads" }
                                         << "a text and --heads";
        QTest::newRow("heads muted") << QStringList { "inspect", ".", "--heads", "--mute", "0:gss" } << "--mute";
        QTest::newRow("bench preset") << QStringList { "bench", "--presets", "pha-tiny,nosuch" } << "nosuch";
        QTest::newRow("bench context") << QStringList { "bench", "--contexts", "0" } << "--contexts";
        QTest::newRow("bench mode") << QStringList { "bench", "--mode", "sleep" } << "sleep";
        QTest::newRow("bench beyond the memory") << QStringList { "bench", "--presets", "pha-180m", "--contexts",
            "1048576", "--device", "cpu" } << "needs about";
        QTest::newRow("bench recomputes nothing")
            << QStringList { "bench", "--mode", "decode", "--recompute" } << "add --mode train";
        QTest::newRow("bench of a branch that is not there")
            << QStringList { "bench", "--mode", "gss", "--presets", "attention-tiny" } << "attention-tiny";
        QTest::newRow("a run without a name") << QStringList { "compare", "" } << "the run is empty";
        QTest::newRow("runs in a folder without a name") << QStringList { "runs", "--runs-dir", "" } << "--runs-dir";
        QTest::newRow("export to a file without a name")
            << QStringList { "export", ".", "--to", "csv", "--out", "" } << "--out is empty";
        QTest::newRow("presets, one without a name") << QStringList { "presets", "" } << "preset is \"\"";
        QTest::newRow("compare nothing") << QStringList { "compare", "nosuch" } << "nosuch";
        QTest::newRow("compare a name in brackets") << QStringList { "compare", "[nosuch]" } << "[nosuch]";
        QTest::newRow("compare with an unknown option")
            << QStringList { "compare", "nosuch", "--jsn", "other" } << "not expected: --jsn;";
        QTest::newRow("data unknown") << QStringList { "data", "info", "storeis" } << "stories";
        QTest::newRow("data empty file") << QStringList { "data", "info", "empty.txt" } << "empty.txt";
    }

    void badInput()
    {
        QFETCH(QStringList, arguments);
        QFETCH(QString, says);
        const auto before = tree(home_.path());
        const auto result = home_.run(arguments);
        QCOMPARE(result.code, 2);
        QCOMPARE(result.out, QByteArray());
        QVERIFY2(isOneErrorLine(result.err), result.err.constData());
        QVERIFY2(result.err.contains(says.toUtf8()), result.err.constData());
        QCOMPARE(tree(home_.path()), before);
    }

    void anOutputThatCannotBeWrittenIsAFailure()
    {
        QProcess process;
        process.setStandardOutputFile("/dev/full");
        process.start(PHA_BIN_DIR "/pha", { "presets" });
        const auto result = Home::finish(process);
        QCOMPARE(result.code, 1);
        QVERIFY2(isOneErrorLine(result.err), result.err.constData());
    }

    void aLimitOfTheProcessIsToldAtOnce_data()
    {
        QTest::addColumn<QString>("limit");
        QTest::newRow("OpenBLAS") << "-v 300000";
        QTest::newRow("LibTorch") << "-v 500000";
        QTest::newRow("products") << "-v 900000";
        QTest::newRow("stack") << "-s 128";
    }

    /// OpenBLAS would ask for its buffers for ever; on a small stack LibTorch crashes.
    void aLimitOfTheProcessIsToldAtOnce()
    {
        QFETCH(QString, limit);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        QSKIP("sanitizers need more than any limit");
#endif
        QProcess shell;
        shell.start("sh", { "-c", "ulimit " + limit + "; exec \"$0\" selftest --device cpu", PHA_BIN_DIR "/pha" });
        const auto result = Home::finish(shell);
        QCOMPARE(result.code, 1);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains("ulimit " + limit.left(2).toUtf8()),
            result.err.constData());
    }

    void aPathWithoutANetworkIsRefusedBeforeLibTorchIsOpened_data()
    {
        QTest::addColumn<QStringList>("arguments");
        for (const auto* command : { "eval", "inspect" }) {
            QTest::newRow(command) << QStringList { command, "nosuch" };
            QTest::newRow((std::string(command) + " of a folder").c_str()) << QStringList { command, "." };
        }
        QTest::newRow("generate") << QStringList { "generate", "nosuch", "--prompt", "a" };
        QTest::newRow("logits") << QStringList { "logits", "nosuch", "--tokens", "1", "--out", "l" };
        QTest::newRow("average") << QStringList { "average", "nosuch", "--out", "mean" };
        QTest::newRow("initial weights") << smallRun({ "--init-from", "nosuch" });
        QTest::newRow("initial weights in a folder") << smallRun({ "--init-from", "." });
    }

    /// Opened below this limit it would be refused for that.
    void aPathWithoutANetworkIsRefusedBeforeLibTorchIsOpened()
    {
        QFETCH(QStringList, arguments);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        QSKIP("sanitizers need more addresses than any limit");
#endif
        const auto shell = home_.start(
            QStringList { "-c", "ulimit -v 500000; exec \"$0\" \"$@\"", PHA_BIN_DIR "/pha" } + arguments, {}, "sh");
        const auto result = Home::finish(*shell);
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err), result.err.constData());
        const auto* says = arguments.contains("nosuch") ? "nosuch: does not exist" : "neither a run directory";
        QVERIFY2(result.err.contains(says), result.err.constData());
    }

    void aWindowWithoutADisplayIsRefusedInOneLine_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::newRow("plain") << QStringList {};
        QTest::newRow("wrong usage") << QStringList { "--nonsense" };
    }
    void aWindowWithoutADisplayIsRefusedInOneLine()
    {
        QFETCH(QStringList, arguments);
        const QString studio = PHA_BIN_DIR "/pha-studio";
        if (!QFileInfo::exists(studio)) QSKIP("built without the window");
        QProcess process;
        auto environment = QProcessEnvironment::systemEnvironment();
        for (const auto* variable : { "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM" }) environment.remove(variable);
        process.setProcessEnvironment(environment);
        process.start(studio, arguments);
        const auto result = Home::finish(process);
        QCOMPARE(process.exitStatus(), QProcess::NormalExit);
        QCOMPARE(result.code, 1);
        QVERIFY2(result.err.startsWith("pha-studio: there is no display; ") && result.err.count('\n') == 1,
            result.err.constData());
    }

    void aReaderThatHasEnoughIsNoError()
    {
        QProcess shell;
        shell.start("sh", { "-c", "\"$0\" train --help-fields | head -n 1 >/dev/null", PHA_BIN_DIR "/pha" });
        const auto result = Home::finish(shell);
        QCOMPARE(result.err, QByteArray());
    }
};

PHA_TEST(CommandLineTest)
#include "command_line_test.moc"
