// SPDX-License-Identifier: GPL-3.0-or-later
// GPT-2's byte pair encoding: words cut as its pattern cuts them, merges as its program applies them, nothing lost,
// hostile files refused.
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/config/config.h"
#include "engine/data/corpus.h"
#include "engine/data/documents.h"
#include "engine/data/gpt2_tables.h"
#include "engine/data/gpt2_words.h"
#include "engine/data/prepare.h"
#include "engine/data/random.h"
#include "engine/data/token_preview.h"
#include "engine/data/tokenizer.h"
#include "tests/suite.h"
#include "tests/unit/packed.h"

#include <QDir>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

using namespace pha;

namespace {

using Words = std::vector<std::string>;

Words cut(std::string_view text)
{
    Words words;
    while (!text.empty()) {
        const auto length = gpt2WordLength(text);
        if (length == 0 || length > text.size()) return { "bad length" };
        words.emplace_back(text.substr(0, length));
        text.remove_prefix(length);
    }
    return words;
}

std::string shown(const Words& words)
{
    std::string text;
    for (const auto& word : words) text += '[' + word + ']';
    return text;
}

std::string utf8Pair(unsigned code)
{
    return code < 0x80 ? std::string(1, char(code)) : std::string { char(0xC0 | code >> 6), char(0x80 | (code & 63)) };
}

/// The published table of bytes and characters, by its own rule (openai/gpt-2, encoder.py, bytes_to_unicode).
std::string letter(unsigned byte)
{
    const auto printable = [](unsigned b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
    if (printable(byte)) return utf8Pair(byte);
    unsigned hidden = 0;
    for (unsigned b = 0; b < byte; ++b) hidden += !printable(b);
    return utf8Pair(256 + hidden);
}
std::string letters(std::string_view bytes)
{
    std::string text;
    for (const char c : bytes) text += letter(static_cast<unsigned char>(c));
    return text;
}

/// A vocabulary of the bytes and what `merges` make, in GPT-2's files.
struct Files {
    std::vector<std::pair<std::string, std::string>> merges; ///< in bytes
    std::vector<std::string> more; ///< further entries of vocab.json as they are

    std::vector<std::string> pieces() const
    {
        std::vector<std::string> all;
        for (unsigned byte = 0; byte < 256; ++byte) all.push_back(letter(byte));
        for (const auto& [left, right] : merges)
            if (const auto made = letters(left + right); std::find(all.begin(), all.end(), made) == all.end())
                all.push_back(made);
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    std::string vocab() const
    {
        Json json = Json::object();
        const auto all = pieces();
        for (std::size_t id = 0; id < all.size(); ++id) json[all[id]] = id;
        return json.dump(-1, ' ', true); // \u0120, as OpenAI's file has it
    }
    std::string mergesText() const
    {
        std::string text = "#version: 0.2\n";
        for (const auto& [left, right] : merges) text += letters(left) + ' ' + letters(right) + '\n';
        return text;
    }
};

const Files english { { { "h", "e" }, { "l", "l" }, { " ", "w" }, { "o", "r" }, { "he", "ll" }, { " w", "or" },
                          { "l", "d" }, { "hell", "o" }, { " wor", "ld" }, { " ", "a" }, { "a", "a" },
                          { "e", "\xCC\x81" }, { "\xCC", "\x81" }, { "'", "s" } },
    { "<|endoftext|>" } };

std::unique_ptr<Tokenizer> build(const Files& files)
{
    return Tokenizer::fromModel(readGpt2Files(files.vocab(), files.mergesText(), "test").model(), "test");
}

/// The published program, word for word: the best pair, everywhere, again (encoder.py, bpe).
Words referenceMerge(const Files& files, Words word)
{
    std::map<std::pair<std::string, std::string>, std::size_t> ranks;
    for (std::size_t i = 0; i < files.merges.size(); ++i) ranks.emplace(files.merges[i], i);
    for (;;) {
        auto best = ranks.end();
        for (std::size_t i = 0; i + 1 < word.size(); ++i)
            if (const auto known = ranks.find({ word[i], word[i + 1] });
                known != ranks.end() && (best == ranks.end() || known->second < best->second))
                best = known;
        if (best == ranks.end()) return word;
        Words merged;
        for (std::size_t i = 0; i < word.size(); ++i) {
            const bool pair = i + 1 < word.size() && word[i] == best->first.first && word[i + 1] == best->first.second;
            merged.push_back(pair ? word[i] + word[i + 1] : word[i]);
            i += pair;
        }
        word = std::move(merged);
    }
}

std::string problemOf(const std::string& vocab, const std::string& merges)
{
    try {
        readGpt2Files(vocab, merges, "folder");
        return "accepted";
    } catch (const DataError& error) {
        return error.problem();
    }
}

/// Counts reports of the reading of a text, and may ask for a stop in its encoding.
class SurveyWatcher : public EventSink {
public:
    void publish(const Event& event) override
    {
        const auto* progress = std::get_if<ProgressEvent>(&event);
        if (progress && progress->what == "reading text") ++surveyed;
        if (progress && progress->what == "encoding text" && stops) source.request_stop();
    }
    int surveyed = 0;
    bool stops = false;
    std::stop_source source;
};

} // namespace

class Gpt2Test : public QObject {
    Q_OBJECT

private Q_SLOTS:
    /// What the pattern gives by its own definition; runs of blanks leave one for the word, contractions are short.
    void words_data()
    {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QByteArray>("expected");
        const auto row = [](const char* name, const char* text, const char* expected) {
            QTest::newRow(name) << QByteArray(text) << QByteArray(expected);
        };
        row("words", "Hello world", "[Hello][ world]");
        row("punctuation", "Hello, world!!", "[Hello][,][ world][!!]");
        row("contractions", "I'm we'll they've don't he'd you're it's",
            "[I]['m][ we]['ll][ they]['ve][ don]['t][ he]['d][ you]['re][ it]['s]");
        row("capital contraction", "IT'S", "[IT]['][S]");
        row("contraction in a word", "'sure", "['s][ure]");
        row("quotes run on", "''s",
            "['']["
            "s]");
        row("space before a quote", "a 's", "[a][ '][s]");
        row("numbers", "abc123 45.6", "[abc][123][ 45][.][6]");
        row("blanks before a word", "a   b", "[a][  ][ b]");
        row("blanks at the end", "a   ", "[a][   ]");
        row("line ends", "a\n\nb", "[a][\n][\n][b]");
        row("line end, then space", "a\n b", "[a][\n][ b]");
        row("space, then line end", "a \nb", "[a][ ][\n][b]");
        row("tab", "\ta", "[\t][a]");
        row("only a space", " ", "[ ]");
        row("letters of all scripts", "\xD0\x9F\xD1\x80\xD0\xB8 \xE6\x97\xA5\xE6\x9C\xAC \xC3\xA9t\xC3\xA9",
            "[\xD0\x9F\xD1\x80\xD0\xB8][ \xE6\x97\xA5\xE6\x9C\xAC][ \xC3\xA9t\xC3\xA9]");
        row("combining mark is no letter", "e\xCC\x81", "[e][\xCC\x81]");
        row("numbers beyond digits", "x\xC2\xB2\xE2\x85\xA7\xD9\xA3", "[x][\xC2\xB2\xE2\x85\xA7\xD9\xA3]");
        row("no-break space is a blank",
            "a\xC2\xA0\xC2\xA0"
            "b",
            "[a][\xC2\xA0][\xC2\xA0][b]");
        row("ideographic space", "\xE3\x80\x80\xE6\x97\xA5", "[\xE3\x80\x80][\xE6\x97\xA5]");
        row("control characters are no blanks",
            "\x1C\x1D"
            "a",
            "[\x1C\x1D][a]");
        row("emoji", " \xF0\x9F\x98\x80\xF0\x9F\x98\x80!", "[ \xF0\x9F\x98\x80\xF0\x9F\x98\x80!]");
        row("invalid bytes", "a\xFF\xFE b", "[a][\xFF\xFE][ b]");
        row("last letter of a range", "\xF0\xB1\x8D\x8A\xF0\xB1\x8D\x8B", "[\xF0\xB1\x8D\x8A][\xF0\xB1\x8D\x8B]");
    }
    void words()
    {
        QFETCH(QByteArray, text);
        QFETCH(QByteArray, expected);
        QCOMPARE(QByteArray::fromStdString(shown(cut(text.toStdString()))), expected);
    }

    void merges()
    {
        const auto tokenizer = build(english);
        QVERIFY(tokenizer->kind() == Tokenizer::Kind::Gpt2);
        const auto pieces = [&](const char* text) {
            Words words;
            for (const auto id : tokenizer->encode(text)) words.push_back(tokenizer->piece(id));
            return shown(words);
        };
        QCOMPARE(pieces("hello world"), std::string("[hello][ world]"));
        QCOMPARE(pieces("hell hold"), std::string("[hell][ ][h][o][ld]"));
        QCOMPARE(pieces("aaaaa"), std::string("[aa][aa][a]"));
        QCOMPARE(pieces(" aaa"), std::string("[ a][aa]"));
        QCOMPARE(pieces("it's"), std::string("[i][t]['s]"));
    }

    /// models.md 12.4: documents are told apart by the mark, and by nothing else that was not there.
    void theMarkStandsAfterEachDocument()
    {
        const QTemporaryDir folder;
        const auto path = folder.filePath("t.jsonl").toStdString();
        std::ofstream file(path);
        for (int i = 0; i < 600; ++i) file << "{\"text\": \"hello " << i << "\"}\n";
        file.close();
        qputenv("XDG_CACHE_HOME", folder.path().toUtf8());
        DataConfig config;
        config.data = path;
        SilentSink sink;
        const std::shared_ptr<const Tokenizer> tokenizer = build(english);
        const auto corpus = Corpus::open(config, tokenizer, sink, {});
        for (std::size_t i = 0; i < 3; ++i) {
            const auto name = std::array { "train", "valid", "test" }[i];
            const auto& split = corpus->split(name);
            std::string text;
            for (const auto id : split.tokens) text += tokenizer->piece(id);
            const auto texts = QString::fromStdString(text).split("<|endoftext|>");
            QCOMPARE(texts.size() - 1, corpus->card()->splits[i].documents);
            QVERIFY(texts.last().isEmpty());
            qsizetype bytes = 0;
            for (const auto& each : texts.first(texts.size() - 1)) {
                QVERIFY2(each.startsWith("hello ") && !each.contains('\n'), qPrintable(each));
                bytes += each.size();
            }
            QCOMPARE(split.bytes.back(), bytes);
            QCOMPARE(split.words.back(), 3 * (texts.size() - 1)); // two, and the end of a line
        }
    }

    /// Documents that a mark separates are told apart by it, not by their blank lines.
    void marksSeparateDocuments()
    {
        const auto tokenizer = build(english);
        const auto mark = std::int32_t(tokenizer->size() - 1);
        Split split;
        std::vector<std::int64_t> begins;
        for (const char* text : { "hello world\n\nand more\n", "\n", "no line end", "\nlast of three" }) {
            if (text[1] != '\0') begins.push_back(std::int64_t(split.tokens.size()));
            const auto ids = tokenizer->encode(text);
            split.tokens.insert(split.tokens.end(), ids.begin(), ids.end());
            split.tokens.push_back(mark);
        }
        begins[1] -= 2; // with the one that is blank
        const auto form = readTextForm(split, std::int64_t(split.tokens.size()), *tokenizer);
        QCOMPARE(form.name, std::string("plain text"));
        QCOMPARE(form.documents.size(), std::size_t(3));
        const std::array titles { "hello world", "no line end", "last of three" };
        for (std::size_t i = 0; i < titles.size(); ++i) {
            QCOMPARE(form.documents[i].title, std::string(titles[i]));
            QCOMPARE(form.documents[i].begin, begins[i]);
        }
        // One mark at the end separates nothing.
        const auto first = std::find(split.tokens.begin(), split.tokens.end(), mark) - split.tokens.begin() + 1;
        QCOMPARE(readTextForm(split, std::int64_t(first), *tokenizer).documents.size(), std::size_t(2));
    }

    /// Where marks make other tokens of a text it is another corpus, and only there: what was kept of it before, and
    /// runs that were trained on it, are told apart.
    void marksMakeAnotherCorpus()
    {
        const QTemporaryDir folder;
        qputenv("XDG_CACHE_HOME", folder.path().toUtf8());
        std::string records, articles;
        for (int i = 0; i < 600; ++i) {
            records += "{\"text\": \"hello " + std::to_string(i) + "\"}\n";
            articles += " = Article " + std::to_string(i) + " = \n \n hello world " + std::to_string(i) + " . \n \n";
        }
        const auto write = [&](const char* name, const std::string& text) {
            std::ofstream(folder.filePath(name).toStdString()) << text;
            return folder.filePath(name).toStdString();
        };
        const auto fingerprint = [](const std::string& path, std::shared_ptr<const Tokenizer> tokenizer) {
            DataConfig config;
            config.data = path;
            config.tokenizer = "bytes"; // if none is given
            SilentSink sink;
            return Corpus::open(config, std::move(tokenizer), sink, {})->fingerprint();
        };
        auto unmarked = english;
        unmarked.more.clear();
        const auto lines = write("t.jsonl", records), wikiText = write("t.raw", articles);
        const auto usual = fingerprint(lines, nullptr);
        QCOMPARE(fingerprint(lines, build(unmarked)), usual);
        QVERIFY(fingerprint(lines, build(english)) != usual);
        QCOMPARE(fingerprint(wikiText, build(english)), fingerprint(wikiText, nullptr)); // one text: no marks
        const auto kept = [&](const Tokenizer& tokenizer, const std::string& version) {
            const auto name = "corpus-" + usual.substr(0, 32) + "-" + tokenizer.fingerprint().substr(0, 32) + version;
            return QDir(folder.filePath("pha-studio")).exists(QString::fromStdString(name));
        };
        QVERIFY(kept(*build(unmarked), ""));
        QVERIFY(kept(*build(english), "-marks1") && !kept(*build(english), ""));
    }

    /// A preparation that was begun when texts had no marks is not continued with them.
    void preparingGoesOnInOneWay()
    {
        const QTemporaryDir folder;
        const auto file = [&](const char* name) { return folder.filePath(name).toStdString(); };
        {
            std::ofstream texts(file("t.jsonl"));
            for (int i = 0; i < 600; ++i) texts << "{\"text\": \"hello " << i << "\"}\n";
        }
        PrepareRequest request;
        request.sources = { file("t.jsonl") };
        request.out = file("out");
        request.tokenizer = build(english);
        const auto work = [&](bool stops) {
            SurveyWatcher watcher;
            watcher.stops = stops;
            try {
                prepareCorpus(request, watcher, watcher.source.get_token());
            } catch (const Error& error) {
                if (error.code() == ExitCode::Usage) throw;
            }
            return watcher.surveyed;
        };
        QVERIFY(work(true) > 0);
        const auto journal = folder.filePath("out.partial/work.json").toStdString();
        auto json = Json::parse(std::ifstream(journal));
        QCOMPARE(json["identity"].erase("encoding"), std::size_t(1));
        std::ofstream(journal) << json.dump();
        QVERIFY(work(false) > 0);
        QVERIFY(std::filesystem::exists(request.out));
    }

    /// The same tokens in a .bin file are the same text: the mark counts as nothing there, too.
    void theMarkIsNoTextInTokenFiles()
    {
        const QTemporaryDir folder;
        const auto file = [&](const char* name) { return folder.filePath(name).toStdString(); };
        {
            std::ofstream texts(file("t.jsonl"));
            for (int i = 0; i < 600; ++i)
                for (const auto& text : { "hello " + std::to_string(i), "world " + std::to_string(i) + "\n",
                         "a\n\nhello " + std::to_string(i) + " " })
                    texts << Json { { "text", text } }.dump() << '\n';
        }
        qputenv("XDG_CACHE_HOME", folder.path().toUtf8());
        DataConfig config;
        config.data = file("t.jsonl");
        SilentSink sink;
        const std::shared_ptr<const Tokenizer> tokenizer = build(english);
        const auto texts = Corpus::open(config, tokenizer, sink, {});
        const auto& split = texts->split("train");
        std::string bytes;
        for (const auto id : split.tokens) bytes += packed::little(std::uint64_t(id), 2);
        QVERIFY(QDir(folder.path()).mkdir("bins"));
        for (const char* name : { "bins/train.bin", "bins/val.bin" })
            std::ofstream(file(name), std::ios::binary) << bytes;
        config.data = file("bins");
        const auto bins = Corpus::open(config, tokenizer, sink, {});
        for (const char* name : { "train", "valid" }) {
            QCOMPARE(bins->split(name).tokens, split.tokens);
            QCOMPARE(bins->split(name).words, split.words);
            QCOMPARE(bins->split(name).bytes, split.bytes);
        }
        PrepareRequest request;
        request.sources = { file("bins") };
        request.out = file("out");
        request.tokenizer = tokenizer;
        const auto card = prepareCorpus(request, sink, {});
        QCOMPARE(card.splits[0].words, std::int64_t(split.words.back()));
        QCOMPARE(card.splits[0].bytes, std::int64_t(split.bytes.back()));
        config.data = file("out");
        QCOMPARE(Corpus::open(config, nullptr, sink, {})->split("valid").words, split.words);
    }

    /// Random merges, also such that no training would give: the order of equal and of new pairs must not matter.
    void mergesAsThePublishedProgram()
    {
        Random random(4);
        for (int round = 0; round < 40; ++round) {
            Files files;
            Words known { "a", "b", "c" };
            for (int i = 0; i < 12; ++i) {
                const auto left = known[random.below(known.size())], right = known[random.below(known.size())];
                const std::pair merge(left, right);
                if (std::find(files.merges.begin(), files.merges.end(), merge) != files.merges.end()) continue;
                files.merges.push_back(merge);
                known.push_back(left + right);
            }
            for (std::size_t i = files.merges.size(); i > 1; --i)
                std::swap(files.merges[i - 1], files.merges[random.below(i)]);
            const auto tokenizer = build(files);
            for (int k = 0; k < 40; ++k) {
                Words word;
                std::string text;
                for (auto n = 1 + random.below(40); n > 0; --n)
                    text += word.emplace_back(1, char('a' + random.below(3)));
                Words found;
                for (const auto id : tokenizer->encode(text)) found.push_back(tokenizer->piece(id));
                QCOMPARE(shown(found), shown(referenceMerge(files, word)));
            }
        }
    }

    void anyBytesComeBack()
    {
        const auto tokenizer = build(english);
        Random random(2);
        for (int round = 0; round < 200; ++round) {
            std::string text;
            for (auto n = random.below(300); n > 0; --n)
                text += random.below(3) == 0 ? std::string(1, char(random.below(256)))
                                             : std::string(random.below(2) ? " hell" : "o w\n");
            QCOMPARE(tokenizer->decode(tokenizer->encode(text)), text);
        }
        QCOMPARE(tokenizer->decode({ -1, 1 << 30 }), std::string("\xEF\xBF\xBD\xEF\xBF\xBD"));
    }

    /// A word of a million letters takes a moment, not a day.
    void longWords()
    {
        const auto ids = build(english)->encode(std::string(1'000'001, 'a'));
        QCOMPARE(ids.size(), std::size_t(500'001));
    }

    void endOfText()
    {
        const auto tokenizer = build(english);
        const auto mark = std::int32_t(tokenizer->size() - 1);
        QCOMPARE(tokenizer->piece(mark), std::string("<|endoftext|>"));
        const auto ids = tokenizer->encode("hello <|endoftext|> world<|endoftext|");
        QCOMPARE(std::count(ids.begin(), ids.end(), mark), std::ptrdiff_t(1));
        QVERIFY(ids[2] == mark && tokenizer->piece(ids[1]) == " " && tokenizer->piece(ids[3]) == " world");
        QCOMPARE(tokenizer->decode(ids), std::string("hello <|endoftext|> world<|endoftext|"));
    }

    void readsTheFilesFromDisk()
    {
        QTemporaryDir folder;
        const auto put = [&](const char* name, const std::string& text) {
            std::ofstream(folder.filePath(name).toStdString(), std::ios::binary) << text;
        };
        put("vocab.json", english.vocab());
        put("merges.txt", english.mergesText() + "\n");
        const auto fromFolder = Tokenizer::load(folder.path().toStdString());
        const auto fromVocab = Tokenizer::load(folder.filePath("vocab.json").toStdString());
        QCOMPARE(fromVocab->fingerprint(), fromFolder->fingerprint());
        QCOMPARE(fromFolder->model(), build(english)->model());
        QCOMPARE(fromFolder->description(), std::string("BPE in GPT-2's form, 271 pieces"));
        put("tokenizer.model", fromFolder->model());
        QCOMPARE(Tokenizer::load(folder.filePath("tokenizer.model").toStdString())->fingerprint(),
            fromFolder->fingerprint());
        for (const char* name : { "merges.txt", "tokenizer.model" }) QFile::remove(folder.filePath(name));
        QVERIFY_THROWS_EXCEPTION(DataError, Tokenizer::load(folder.path().toStdString()));
    }

    void windowsLineEndsAreFine()
    {
        auto merges = english.mergesText();
        for (std::size_t at = 0; (at = merges.find('\n', at)) != std::string::npos; at += 2) merges.insert(at, 1, '\r');
        QCOMPARE(readGpt2Files(english.vocab(), merges, "test").model(), build(english)->model());
    }

    void hostileFilesAreRefused_data()
    {
        QTest::addColumn<QByteArray>("vocab");
        QTest::addColumn<QByteArray>("merges");
        QTest::addColumn<QString>("says");
        const auto good = QByteArray::fromStdString(english.vocab());
        const auto goodMerges = QByteArray::fromStdString(english.mergesText());
        const auto vocab = [&](const char* name, const QByteArray& text, const char* says) {
            QTest::newRow(name) << text << goodMerges << QString(says);
        };
        vocab("nothing", "", "not JSON");
        vocab("cut", good.chopped(1), "not JSON");
        vocab("list", "[1,2]", "must be one object");
        vocab("deep", QByteArray(100'000, '['), "must be one object");
        vocab("nested", R"({"a":{"b":1}})", "must be one object");
        vocab("text for an id", R"({"a":"1"})", "must be one object");
        vocab("negative id", R"({"a":-1})", "must be one object");
        vocab("fraction", R"({"a":1.5})", "must be one object");
        vocab("huge id", R"({"a":18446744073709551615})", "an id of a million");
        vocab("id twice", R"({"a":0,"b":0})", "an id to two pieces");
        vocab("gap", R"({"a":0,"b":2})", "no piece 1");
        vocab("no bytes", R"({"a":0,"b":1})", "no piece for the byte");
        vocab("piece twice", QByteArray(good).replace("\"he\":", "\"ll\":"), "twice");
        vocab("empty piece", QByteArray(good).replace("\"he\":", "\"\":"), "empty or too long");
        vocab("long piece", QByteArray(good).replace("\"he\":", '"' + QByteArray(3000, 'x') + "\":"),
            "empty or too long");
        vocab("foreign letters", QByteArray(good).replace("\"he\":", "\"\xE6\x97\xA5\":"), "alphabet");
        vocab("space in a piece", QByteArray(good).replace("\"he\":", "\"h e\":"), "alphabet");
        const auto merges = [&](const char* name, const QByteArray& text, const char* says) {
            QTest::newRow(name) << good << text << QString(says);
        };
        merges("one piece", "#version: 0.2\nhe\n", "not two pieces");
        merges("three pieces", "h e l\n", "not two pieces");
        merges("merge twice", "h e\nh e\n", "twice");
        merges("unknown piece", "h xyz\n", "no piece of the vocabulary");
        merges("unknown result", "h h\n", "makes no piece");
        merges("empty side", "h \n", "no piece of the vocabulary");
        merges("not UTF-8", "\xFF\xFF h\n", "no piece of the vocabulary");
    }
    void hostileFilesAreRefused()
    {
        QFETCH(QByteArray, vocab);
        QFETCH(QByteArray, merges);
        QFETCH(QString, says);
        const auto problem = problemOf(vocab.toStdString(), merges.toStdString());
        QVERIFY2(QString::fromStdString(problem).contains(says), problem.c_str());
        QVERIFY(
            std::all_of(problem.begin(), problem.end(), [](char c) { return static_cast<unsigned char>(c) >= ' '; }));
    }

    void damagedModelsAreRefused()
    {
        const auto good = build(english)->model();
        QCOMPARE(good.substr(0, 11), std::string("pha-gpt2 1\n"));
        for (const std::string bad : { "", "x\n", "-1\n", "99999999999999999999\n", "2\na\n", "1e9\n" })
            QVERIFY_THROWS_EXCEPTION(DataError, Tokenizer::fromModel("pha-gpt2 1\n" + bad, "run"));
        Random random(3);
        for (int i = 0; i < 300; ++i) { // refused or read, never worse
            auto damaged = good;
            damaged[11 + random.below(damaged.size() - 11)] = char(random.below(256));
            try {
                const auto tokenizer = Tokenizer::fromModel(damaged, "run");
                const std::string text = "hello <|endoftext|> \xFF world";
                QCOMPARE(tokenizer->decode(tokenizer->encode(text)), text);
            } catch (const DataError&) {
            }
        }
    }

    void bytesAreATokenizerToo()
    {
        DataConfig config;
        config.tokenizer = "bytes";
        const auto bytes = Tokenizer::given(config);
        QCOMPARE(bytes->size(), std::int64_t(256));
        std::string all;
        for (int i = 0; i < 256; ++i) all += char(i);
        QCOMPARE(bytes->decode(bytes->encode(all)), all);
        QCOMPARE(bytes->encode(all)[200], 200);
        QCOMPARE(bytes->decode({ 256, -1 }), std::string("\xEF\xBF\xBD\xEF\xBF\xBD"));
        QCOMPARE(Tokenizer::fromModel(bytes->model(), "run")->fingerprint(), bytes->fingerprint());
    }

    void namesOfTokenizers()
    {
        DataConfig config;
        for (const char* trained : { "auto", "unigram", "bpe" }) {
            config.tokenizer = trained;
            QVERIFY(!Tokenizer::given(config));
        }
        for (const char* wrong : { "", "unigrm", "/nowhere/x.model" }) {
            config.tokenizer = wrong;
            QVERIFY_THROWS_EXCEPTION(ConfigError, Tokenizer::given(config));
        }
    }

    void preview()
    {
        const auto tokenizer = build(english);
        const std::string text = "hello \xC3\xA9 world";
        const auto whole = previewTokens(*tokenizer, text);
        QCOMPARE(whole.bytes, text.size());
        QCOMPARE(whole.tokens, std::size_t(5));
        QCOMPARE(whole.pieces.size(), std::size_t(5));
        QCOMPARE(whole.bytesPerToken(), 14.0 / 5);
        QCOMPARE(whole.pieces[2].text, std::string("<0xC3>"));
        QCOMPARE(whole.pieces[4].text, std::string(" world"));
        for (const auto& p : whole.pieces) QCOMPARE(tokenizer->piece(p.id), text.substr(p.begin, p.end - p.begin));
        const auto part = previewTokens(*tokenizer, text, 2);
        QCOMPARE(part.pieces.size(), std::size_t(2));
        QCOMPARE(part.tokens, std::size_t(5));
        QCOMPARE(previewTokens(*tokenizer, "").bytesPerToken(), 0.0);
    }
};

PHA_TEST(Gpt2Test)
#include "gpt2_test.moc"
