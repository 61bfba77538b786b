// SPDX-License-Identifier: GPL-3.0-or-later
// Token files of nanoGPT and llm.c: shards, headers, their tokenizers, and what preparing makes of them.
#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/data/corpus.h"
#include "engine/data/meta_pickle.h"
#include "engine/data/prepare.h"
#include "engine/data/token_bins.h"
#include "tests/suite.h"
#include "tests/unit/packed.h"

#include <QTemporaryDir>
#include <QTest>

#include <fstream>
#include <numeric>

using namespace pha;
namespace fs = std::filesystem;
using namespace std::string_literals;
using pha::packed::little;

namespace {

class Stopping : public EventSink {
public:
    void publish(const Event&) override
    {
        if (++seen == stopAfter) source.request_stop();
    }
    int seen = 0, stopAfter = -1;
    std::stop_source source;
};

using Ids = std::vector<std::int32_t>;

std::string raw(const Ids& ids, int bytes = 2)
{
    std::string text;
    for (const auto id : ids) text += little(std::uint64_t(id), bytes);
    return text;
}

std::string header(std::uint64_t magic, std::uint64_t version, std::uint64_t count, std::uint64_t fourth = 0)
{
    std::string text = little(magic, 4) + little(version, 4) + little(count, 4) + little(fourth, 4);
    text.resize(1024);
    return text;
}

std::string shard(const Ids& ids) { return header(20240520, 1, ids.size()) + raw(ids); }

Ids numbers(int from, int count, int modulus)
{
    Ids ids;
    for (int i = 0; i < count; ++i) ids.push_back((from + i) * 7 % modulus);
    return ids;
}

/// What Python's pickle writes for {'vocab_size': .., 'itos': {..}, 'stoi': {..}} under protocol 4, or 2.
class Pickle {
public:
    explicit Pickle(int protocol)
        : protocol_(protocol)
    {
    }
    Pickle& text(const std::string& text)
    {
        bytes_ += protocol_ == 4 ? "\x8C" + little(text.size(), 1) + text : "X" + little(text.size(), 4) + text;
        return keep();
    }
    Pickle& number(int value)
    {
        bytes_ += value < 256 ? "K" + little(std::uint64_t(value), 1) : "M" + little(std::uint64_t(value), 2);
        return *this;
    }
    Pickle& dictionary()
    {
        bytes_ += "}";
        return keep();
    }
    Pickle& recall(int index)
    {
        bytes_ += "h" + little(std::uint64_t(index), 1);
        return *this;
    }
    Pickle& add(const std::string& operations)
    {
        bytes_ += operations;
        return *this;
    }
    std::string bytes() const
    {
        const auto body = bytes_ + ".";
        return protocol_ == 4 ? "\x80\x04\x95" + little(body.size(), 8) + body : "\x80\x02" + body;
    }

private:
    Pickle& keep()
    {
        bytes_ += protocol_ == 4 ? "\x94" : "q" + little(std::uint64_t(kept_++), 1);
        return *this;
    }
    int protocol_, kept_ = 0;
    std::string bytes_;
};

std::string meta(const std::vector<std::string>& characters, int protocol = 4)
{
    Pickle pickle(protocol);
    pickle.dictionary().add("(").text("vocab_size").number(int(characters.size())).text("itos").dictionary().add("(");
    for (std::size_t i = 0; i < characters.size(); ++i) pickle.number(int(i)).text(characters[i]);
    pickle.add("u").text("stoi").dictionary().add("(");
    for (std::size_t i = 0; i < characters.size(); ++i) pickle.recall(int(4 + i)).number(int(i));
    return pickle.add("uu").bytes();
}

const std::vector<std::string> characters { "\n", " ", "a", "b", "c", "\xC3\xA9" };

std::string complaint(const std::function<void()>& work)
{
    try {
        work();
    } catch (const Error& error) {
        return error.code() == ExitCode::Usage ? error.what() : "not bad input";
    }
    return "accepted";
}

} // namespace

class TokenBinsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QVERIFY(home_.isValid());
        qputenv("XDG_CACHE_HOME", home_.filePath("cache").toUtf8());
    }

    void shardsAreOneCorpus()
    {
        write("llmc/fineweb_val_000000.bin", shard(numbers(5000, 300, 90)));
        for (const int i : { 10, 9, 1, 2 }) // written out of order; 10 comes after 9
            write("llmc/fineweb_train_" + std::to_string(i) + ".bin", shard(numbers(i * 1000, 400 + i, 90)));
        const auto corpus = open("llmc", 90);
        Ids all;
        for (const int i : { 1, 2, 9, 10 }) {
            const auto part = numbers(i * 1000, 400 + i, 90);
            all.insert(all.end(), part.begin(), part.end());
        }
        QCOMPARE(corpus->split("train").tokens, all);
        QCOMPARE(corpus->split("valid").tokens, numbers(5000, 300, 90));
        QCOMPARE(corpus->tokens(0), std::int64_t(all.size()));
        QCOMPARE(corpus->tokens(2), std::int64_t(0));
        QVERIFY(corpus->description().find("fineweb_train_1.bin and 3 more") == 0);
        // One window over everything crosses all borders.
        const auto batch = corpus->batches(1, std::int64_t(all.size()) - 1, 1)->next();
        QVERIFY(std::equal(all.begin(), all.end() - 1, batch.ids.begin()));
        QVERIFY(std::equal(all.begin() + 1, all.end(), batch.targets.begin()));

        const auto one = open("llmc/fineweb_train_2.bin", 90); // this one alone, with what validates all
        QCOMPARE(one->split("train").tokens, numbers(2000, 402, 90));
        QCOMPARE(one->split("valid").tokens, numbers(5000, 300, 90));
        QCOMPARE(open("llmc/fineweb_val_000000.bin", 90)->split("train").tokens, all);
        write("llmc/fineweb_train_2.bin", shard(numbers(2001, 402, 90)));
        QVERIFY(open("llmc", 90)->fingerprint() != corpus->fingerprint());

        write("llmc/other_train.bin", shard(numbers(1, 400, 90)));
        const auto two = complaint([&] { open("llmc", 90); });
        QVERIFY2(two.find("several corpora") != two.npos && two.find("other_train.bin") != two.npos, two.c_str());
    }

    void headersAreChecked_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("says");
        const auto row = [](const char* name, const std::string& bytes, const char* says) {
            QTest::newRow(name) << QByteArray::fromStdString(bytes) << QString(says);
        };
        const auto ids = raw(numbers(0, 100, 90));
        row("another version", header(20240520, 2, 100) + ids, "version 2");
        row("llama's version", header(20240801, 1, 50) + ids, "version 1");
        row("no tokens", header(20240520, 1, 0), "no tokens");
        row("a negative count", header(20240520, 1, 0xFFFFFFFF) + ids, "no tokens");
        row("cut", header(20240520, 1, 101) + ids, "cut short");
        row("longer", header(20240520, 1, 99) + ids, "longer");
        row("odd", "abc", "16-bit");
        row("empty", "", "16-bit");
    }

    void headersAreChecked()
    {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, says);
        write("bad/x_train.bin", bytes.toStdString());
        const auto said = complaint([&] { open("bad/x_train.bin", 90); });
        QVERIFY2(QString::fromStdString(said).contains(says), said.c_str());
    }

    /// Behind the tokens that are checked when the file is opened.
    void wrongIdsFarBehind()
    {
        auto ids = numbers(0, 400'000, 2000);
        ids[300'000] = 65535;
        write("far/train.bin", raw(ids));
        const auto corpus = open("far", 2000);
        const auto said = complaint([&] { corpus->references(); });
        QVERIFY2(said.find("train.bin: holds the id 65535 of a vocabulary of 2000") != said.npos, said.c_str());
        ids[300'000] = 1999;
        write("far/train.bin", raw(ids));
        QVERIFY(open("far", 2000)->references().unigram > 0);
    }

    void wideTokens()
    {
        const Ids ids { 70000, 3, 127999, 5, 6, 70000 };
        write("wide/x_train.bin", header(20240801, 7, ids.size()) + raw(ids, 4));
        write("wide/x_val.bin", header(20240801, 7, ids.size()) + raw(ids, 4));
        QCOMPARE(open("wide", 128000)->split("train").tokens, ids);
    }

    /// Pieces alone give the tokenizer that GPT-2's own two files give.
    void tokenizerOfLlmc()
    {
        const std::vector<std::pair<std::string, std::string>> merges { { "t", "h" }, { "th", "e" }, { "e", "n" },
            { "the", "n" } };
        std::vector<std::string> pieces;
        for (int byte = 0; byte < 256; ++byte) pieces.push_back(std::string(1, char(byte)));
        for (std::size_t i = 0; i < merges.size(); ++i) pieces.push_back(merges[i].first + merges[i].second);
        pieces.emplace_back("<|endoftext|>");
        const auto write2 = [&](std::uint64_t version, std::uint64_t mark) {
            auto bytes = header(20240328, version, pieces.size(), mark);
            for (const auto& piece : pieces) bytes += little(piece.size(), 1) + piece;
            return bytes;
        };
        const auto good = write2(2, pieces.size() - 1);
        const auto tokenizer = Tokenizer::fromModel(good, "bin");
        QCOMPARE(tokenizer->size(), std::int64_t(pieces.size()));
        QCOMPARE(tokenizer->encode("then the<|endoftext|>en"), (Ids { 259, ' ', 257, 260, 258 }));
        QCOMPARE(tokenizer->decode({ 259, 260 }), std::string("then<|endoftext|>"));
        const auto again = Tokenizer::fromModel(tokenizer->model(), "again");
        QCOMPARE(again->fingerprint(), tokenizer->fingerprint());

        std::string vocabulary = "{", list;
        for (std::size_t id = 256; id < pieces.size(); ++id)
            vocabulary += "\"" + pieces[id] + "\":" + std::to_string(id) + ",";
        for (std::size_t i = 0; i < merges.size(); ++i) list += merges[i].first + " " + merges[i].second + "\n";
        auto letters = tokenizer->model(); // the letters of the bytes
        for (int id = 0; id < 256; ++id) {
            letters.erase(0, letters.find('\n') + 1);
            if (id == 0) letters.erase(0, letters.find('\n') + 1);
            vocabulary += Json(letters.substr(0, letters.find('\n'))).dump() + ":" + std::to_string(id) + ",";
        }
        vocabulary.back() = '}';
        write("gpt2/vocab.json", vocabulary);
        write("gpt2/merges.txt", list);
        QCOMPARE(Tokenizer::load(path("gpt2"))->fingerprint(), tokenizer->fingerprint());

        QVERIFY(complaint([&] { Tokenizer::fromModel(write2(3, 0), "bin"); }).find("version 3") != std::string::npos);
        QVERIFY(complaint([&] { Tokenizer::fromModel(write2(1, 0), "bin"); }).find("50257") != std::string::npos);
        QVERIFY(complaint([&] { Tokenizer::fromModel(write2(2, 999), "bin"); }).find("end of") != std::string::npos);
        for (const auto& bad : { good.substr(0, good.size() - 1), good + "x", good.substr(0, 1024) })
            QVERIFY(complaint([&] { Tokenizer::fromModel(bad, "bin"); }).find("announces") != std::string::npos);
    }

    void charactersOfNanoGpt()
    {
        for (const int protocol : { 2, 4 }) QCOMPARE(readMetaPickle(meta(characters, protocol), "meta"), characters);
        const Ids train { 2, 3, 1, 5, 4, 0, 2, 1, 3, 3, 0 }; // "ab éc\na bb\n"
        write("shakespeare/train.bin", raw(train));
        write("shakespeare/val.bin", raw(train));
        write("shakespeare/meta.pkl", meta(characters));
        write("shakespeare/input.txt", "not read");
        const auto corpus = open("shakespeare");
        QVERIFY(corpus->tokenizer()->kind() == Tokenizer::Kind::Characters);
        const auto& split = corpus->split("valid");
        QCOMPARE(split.words, (std::vector<std::int32_t> { 0, 1, 1, 1, 2, 3, 4, 4, 4, 5, 6 }));
        QCOMPARE(split.bytes.back(), std::int32_t(12));
        QCOMPARE(corpus->tokenizer()->decode(split.tokens),
            std::string("ab \xC3\xA9"
                        "c\na bb\n"));
        QCOMPARE(corpus->tokenizer()->encode("b\xC3\xA9?"), (Ids { 3, 5, 1 })); // what is unknown is a space
        Stopping sink;
        DataConfig trained;
        trained.data = path("shakespeare").string();
        trained.tokenizer = "bpe"; // none is trained where tokens are given
        QVERIFY_THROWS_EXCEPTION(ConfigError, Corpus::open(trained, nullptr, sink, {}));
        const auto again = Tokenizer::fromModel(corpus->tokenizer()->model(), "again");
        QCOMPARE(again->fingerprint(), corpus->tokenizer()->fingerprint());
        QVERIFY(complaint([&] { Tokenizer::fromModel("pha-characters 1\n[\"a\",\"a\"]\n", "m"); }).find("twice")
            != std::string::npos);
        write("shakespeare/train.bin", raw({ 2, 6 }));
        QVERIFY(complaint([&] { open("shakespeare"); }).find("id 6 of a vocabulary of 6") != std::string::npos);
    }

    /// A pickle is a program. Whatever is more than nanoGPT's dictionaries is refused, and nothing is run.
    void otherPickles_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        const auto row = [](const char* name, const std::string& bytes) {
            QTest::newRow(name) << QByteArray::fromStdString(bytes);
        };
        const auto good = meta(characters);
        const auto changed = [&](const std::string& from, const std::string& to) {
            auto bytes = good;
            return bytes.replace(bytes.find(from), from.size(), to);
        };
        row("a call",
            "\x80\x02"
            "cos\nsystem\n(X\4\0\0\0true"
            "tR."s);
        row("a call by stack", "\x80\x04\x8C\2os\x8C\6system\x93\x8C\4true\x85R."s);
        row("an object",
            "\x80\x02}(X\1\0\0\0"
            "aK\0ub."s);
        row("cut", good.substr(0, good.size() - 2));
        row("more behind it", good + "}");
        row("another protocol", changed("\x80\x04", "\x80\x09"));
        row("another key", changed("stoi", "stox"));
        row("one more key", changed("uu.", "u\x8C\x01xK\x01u."));
        row("the wrong size", changed("vocab_size\x94K\x06", "vocab_size\x94K\x07"));
        row("ids that do not agree", changed("K\x05uu.", "K\x04uu."));
        row("not UTF-8", changed("\xC3\xA9", "\xC3\xC3"));
        row("a recall of nothing", changed("h\x04", "h\xFF"));
        row("a text of 4 GB", Pickle(2).add("X\xFF\xFF\xFF\xFF").bytes());
        row("items without a dictionary", Pickle(4).add("(K\x01K\x01u").bytes());
        row("items without a mark", Pickle(4).dictionary().add("K\x01u").bytes());
        row("a dictionary in itself", Pickle(4).dictionary().add("(K\x01h\x00u").bytes());
        row("protocol 0", "(dp0\nVvocab_size\np1\nI6\ns.");
        row("nothing", Pickle(4).bytes());
        row("a list", Pickle(4).add("]").bytes());
    }

    void otherPickles()
    {
        QFETCH(QByteArray, bytes);
        const auto text = bytes.toStdString();
        QVERIFY(text != meta(characters));
        const auto said = complaint([&] { readMetaPickle(text, "meta.pkl"); });
        QVERIFY2(said.starts_with("meta.pkl: ") && said.find("nothing in a pickle is run") != said.npos, said.c_str());
    }

    void preparedIsTheSame()
    {
        Ids text;
        for (int i = 0; i < 3000; ++i) text.push_back(i % 11 == 10 ? 0 : i % 4 == 3 ? 1 : 2 + i * i % 4);
        write("plain/train.bin", raw(text));
        write("plain/meta.pkl", meta(characters));
        PrepareRequest request;
        request.sources = { path("plain") };
        request.out = path("plain-out");
        Stopping sink;
        const auto card = prepareCorpus(request, sink, {});
        QCOMPARE(card.tokens(), std::int64_t(3000));
        QCOMPARE(card.splits[1].tokens, std::int64_t(150)); // the end validates
        const auto given = open("plain"), prepared = open("plain-out");
        QCOMPARE(prepared->fingerprint(), given->fingerprint());
        for (const char* name : { "train", "valid" }) {
            const auto &a = given->split(name), &b = prepared->split(name);
            QCOMPARE(a.tokens, b.tokens);
            QCOMPARE(a.words, b.words);
            QCOMPARE(a.bytes, b.bytes);
            QCOMPARE(std::int64_t(a.bytes.back()), card.splits[name[0] == 'v'].bytes);
            QCOMPARE(std::int64_t(a.words.back()), card.splits[name[0] == 'v'].words);
        }
        QCOMPARE(given->batches(2, 30, 1)->next().ids, prepared->batches(2, 30, 1)->next().ids);

        request.out = path("stopped");
        sink.stopAfter = sink.seen + 1;
        QVERIFY_THROWS_EXCEPTION(Error, prepareCorpus(request, sink, sink.source.get_token()));
        QVERIFY(!fs::exists(path("stopped")) && !fs::exists(path("stopped.partial")));
        prepareCorpus(request, sink, {});
        for (const char* name : { "train.bin", "valid.bin", "test.bin", "sample.bin", "tokenizer.model" })
            QVERIFY2(readFile(path("stopped") / name) == readFile(path("plain-out") / name), name);

        request.out = path("shares");
        request.shares = { 0.2, 0.1 };
        const auto parts = prepareCorpus(request, sink, {});
        QCOMPARE(parts.splits[0].tokens, std::int64_t(2100));
        QCOMPARE(parts.splits[1].tokens, std::int64_t(600));
        QCOMPARE(open("shares")->split("test").tokens, Ids(text.begin() + 2100, text.begin() + 2400));
        QVERIFY(parts.fingerprint != card.fingerprint);
    }

    void numbersCanBePrepared()
    {
        write("numbers/train.bin", raw(numbers(0, 3000, 90)));
        PrepareRequest request;
        request.sources = { path("numbers") };
        request.out = path("numbers-out");
        request.config.vocabSize = 90;
        Stopping sink;
        const auto card = prepareCorpus(request, sink, {});
        QCOMPARE(card.bytes(), std::int64_t(0));
        QCOMPARE(open("numbers-out")->split("train").tokens.size(), std::size_t(2850));
        request.out = path("numbers-bad");
        request.config.vocabSize = 89;
        QVERIFY(complaint([&] { prepareCorpus(request, sink, {}); }).find("vocab_size to 90") != std::string::npos);
        QVERIFY(!fs::exists(path("numbers-bad.partial")));
        request.sources.push_back(path("plain"));
        QVERIFY(complaint([&] { prepareCorpus(request, sink, {}); }).find("by itself") != std::string::npos);
    }

    void preview()
    {
        const auto seen = previewTexts({ path("plain") }, 2);
        QCOMPARE(seen.lines.size(), std::size_t(2));
        QCOMPARE(seen.format, std::string("tokens, 6 characters"));
        QCOMPARE(seen.fileBytes, std::int64_t(6000));
        QCOMPARE(previewTexts({ path("numbers") }, 1).lines.front().substr(0, 6), std::string("0 7 14"));
    }

private:
    fs::path path(const std::string& name) const { return home_.filePath(QString::fromStdString(name)).toStdString(); }
    void write(const std::string& name, const std::string& content) const
    {
        fs::create_directories(path(name).parent_path());
        std::ofstream(path(name), std::ios::binary) << content;
    }
    std::unique_ptr<Corpus> open(const std::string& name, std::int64_t vocabulary = 1024) const
    {
        DataConfig config;
        config.data = path(name).string();
        config.vocabSize = vocabulary;
        Stopping sink;
        return Corpus::open(config, nullptr, sink, {});
    }

    QTemporaryDir home_;
};

PHA_TEST(TokenBinsTest)
#include "token_bins_test.moc"
