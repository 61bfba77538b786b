// SPDX-License-Identifier: GPL-3.0-or-later
// `pha inspect --heads` from outside: what heads do, and how long states remember.
#include "engine/run/safetensors.h"
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <cmath>

using namespace pha::e2e;

class HeadsCommandTest : public QObject {
    Q_OBJECT

    Home home_;
    QString run_;

    static QString percent(double share) { return QString::number(100 * share, 'f', 1) + " %"; }
    static QString inTokens(double life) { return QString::number(life, 'f', life < 100 ? 1 : 0); }
    /// Words of the line of a table that begins like this, without its beginning.
    static QString lineOf(const QByteArray& out, const QString& name)
    {
        for (const auto& line : QString::fromUtf8(out).split('\n'))
            if (line.startsWith(name + ' ')) return line.mid(name.size()).simplified();
        return {};
    }

private Q_SLOTS:
    void initTestCase()
    {
        run_ = home_.path("run");
        const auto trained = home_.run(smallRun({ "--run", run_, "--steps", "2" }));
        QVERIFY2(trained.code == 0, trained.err.constData());
    }

    void theTableIsTheDocument()
    {
        const auto result = home_.run({ "inspect", run_, "--heads" });
        QVERIFY2(result.code == 0 && result.err.isEmpty(), result.err.constData());
        const auto json = home_.run({ "inspect", run_, "--heads", "--json" }).json();
        QCOMPARE(json["step"].toInt(), 2);
        QCOMPARE(json["context"].toInt(), 32);
        QCOMPARE(json["length"].toInt(), 16);
        const double first = json["first_nll"].toDouble(), second = json["second_nll"].toDouble();
        QVERIFY(first > 5 && second > 5); // about ln 512
        const auto gain = QString("in-context gain %1 nats: a token costs %2 the first time and %3 the second")
                              .arg(first - second, 0, 'f', 3)
                              .arg(first, 0, 'f', 3)
                              .arg(second, 0, 'f', 3);
        QVERIFY2(result.out.contains(gain.toUtf8()), result.out.constData());
        const auto heads = json["heads"].toArray();
        QCOMPARE(heads.size(), 3); // a state space, and two heads of attention
        QString even;
        for (const auto& item : heads) {
            const auto head = item.toObject();
            const auto name =
                QString("L%1 %2 %3").arg(head["layer"].toInt()).arg(head["part"].toString()).arg(head["head"].toInt());
            QStringList words;
            even.clear();
            for (const auto* kind : { "previous token", "self", "first token", "same token", "induction" }) {
                const auto reads = head["reads"][QString(kind)].toObject();
                words << percent(reads["share"].toDouble());
                even += percent(reads["uniform"].toDouble()) + ' ';
                QCOMPARE(reads["queries"].toInt(),
                    QString(kind) == "same token" || QString(kind) == "induction" ? 8 * 16 : 8 * 31);
            }
            words << (head["name"].isNull() ? "-" : head["name"].toString());
            QCOMPARE(lineOf(result.out, name), words.join(' '));
        }
        QCOMPARE(lineOf(result.out, "if all were read alike"), even.trimmed());
        QCOMPARE(json["memory"].toArray().size(), 1);
        const auto memory = json["memory"][0].toObject();
        const auto lives = memory["half_lives"].toObject();
        QStringList words { QString::number(memory["states"].toInt()) };
        for (const auto* level : { "5%", "25%", "50%", "75%", "95%", "longest" })
            words << inTokens(lives[QString(level)].toDouble());
        words << percent(memory["outlive_context"].toDouble());
        QCOMPARE(memory["states"].toInt(), 8 * 4);
        QVERIFY2(
            QString::fromUtf8(result.out).simplified().contains("L0 gss " + words.join(' ')), result.out.constData());
    }

    /// What a text's heads read is what its maps say.
    void headsOfATextAreThoseOfItsMaps()
    {
        const auto maps = home_.path("maps.safetensors");
        const auto result = home_.run(
            { "inspect", run_, "--text", "There was a key. There was a key in the key.", "--out", maps, "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto view = result.json();
        const auto T = std::size_t(view["tokens"].toArray().size());
        std::vector<int> ids;
        for (const auto& token : view["tokens"].toArray()) ids.push_back(token.toObject()["id"].toInt());
        const pha::SafetensorsReader reader(maps.toStdString());
        QCOMPARE(view["heads"].toArray().size(), 3);
        QCOMPARE(view["memory"].toArray().size(), 1);
        for (const auto& item : view["heads"].toArray()) {
            const auto head = item.toObject();
            const auto& entry = reader.tensors().at("layers.0." + head["part"].toString().toStdString());
            std::vector<float> all(std::size_t(entry.shape[0]) * T * T);
            reader.read(entry, all.data());
            const auto* weights = all.data() + std::size_t(head["head"].toInt()) * T * T;
            double previous = 0, induction = 0;
            int queries = 0;
            for (std::size_t t = 1; t < T; ++t) {
                previous += double(weights[t * T + t - 1]) / double(T - 1);
                double here = 0;
                int places = 0;
                for (std::size_t s = 1; s < t; ++s)
                    if (ids[s - 1] == ids[t]) here += double(weights[t * T + s]), ++places;
                induction += here;
                queries += places > 0 ? 1 : 0;
            }
            const auto reads = head["reads"].toObject();
            QVERIFY(std::abs(reads["previous token"]["share"].toDouble() - previous) < 1e-6);
            QVERIFY(queries > 3);
            QCOMPARE(reads["induction"]["queries"].toInt(), queries);
            QVERIFY(std::abs(reads["induction"]["share"].toDouble() - induction / queries) < 1e-6);
        }
    }

    /// No attention: states are shown all the same. No states: heads are. No room for tokens that come twice: neither.
    void networksWithoutOneOfThem()
    {
        const auto trained = [&](const QString& preset, const QStringList& more = {}) {
            const auto run = home_.path(more.isEmpty() ? preset : preset + "-few");
            QStringList arguments { "train", "--preset", preset, "--data", "stories", "--threads", "1", "--precision",
                "fp32", "--run", run, "--steps", "1" };
            for (const auto* setting :
                { "layers=2", "width=32", "query_heads=2", "kv_heads=2", "gss_expand=32", "gss_width=8", "gss_state=8",
                    "h3_state=8", "main_width=32", "vocab_size=512", "context=32", "batch_size=2", "eval_tokens=256" })
                arguments << "--set" << setting;
            for (const auto& setting : more) arguments << "--set" << setting;
            const auto result = home_.run(arguments);
            if (result.code != 0) qWarning("%s", result.err.constData());
            return home_.run({ "inspect", run, "--heads" }).out;
        };
        const auto gss = trained("gss-tiny");
        QVERIFY2(gss.contains("no attention in this network"), gss);
        QVERIFY2(gss.contains("Half-lives of the states") && gss.contains("context of 32 tokens"), gss);
        QVERIFY2(!lineOf(gss, "L1 gss").isEmpty(), gss);
        const auto softmax = trained("transformer-tiny");
        QVERIFY2(softmax.contains("no state spaces with half-lives") && !softmax.contains("no attention"), softmax);
        QVERIFY2(!lineOf(softmax, "L1 attention 1").isEmpty(), softmax);
        const auto few = trained("transformer-tiny", { "positions=learned", "max_positions=3", "context=3" });
        QVERIFY2(few.contains("no heads were tested") && few.contains("learned 3"), few);
        const auto hedgehog = trained("hedgehog-tiny");
        QVERIFY2(!lineOf(hedgehog, "L1 hedgehog 1").isEmpty() && !hedgehog.contains("no attention"), hedgehog);
    }
};

PHA_TEST(HeadsCommandTest)
#include "heads_command_test.moc"
