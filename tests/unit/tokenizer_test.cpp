// SPDX-License-Identifier: GPL-3.0-or-later
// The tokenizer: nothing is lost, the same text gives the same model, hostile models cannot hurt.
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/data/child_process.h"
#include "engine/data/piece_library.h"
#include "engine/data/random.h"
#include "engine/data/stories.h"
#include "engine/data/tokenizer.h"
#include "engine/data/tokenizer_model.h"
#include "tests/suite.h"

#include <QTemporaryDir>
#include <QTest>

#include <bit>
#include <cmath>
#include <fstream>
#include <thread>
#include <unistd.h>

using namespace pha;

namespace {

class Recorder : public EventSink {
public:
    void publish(const Event& event) override
    {
        const auto* step = std::get_if<ProgressEvent>(&event);
        if (!step) return;
        ++progress;
        if (step->total > 0) shares.push_back(step->done / step->total);
    }
    int progress = 0;
    std::vector<double> shares;
};

std::string storyText(int count)
{
    std::string text;
    for (int i = 0; i < count; ++i) text += writeStory(1, "train", std::uint64_t(i)).text();
    return text;
}

std::string utf8(std::uint64_t c)
{
    std::string out;
    const auto put = [&](std::uint64_t byte) { out.push_back(char(byte)); };
    if (c < 0x80) return put(c), out;
    if (c < 0x800) return put(0xC0 | c >> 6), put(0x80 | (c & 63)), out;
    if (c < 0x10000) return put(0xE0 | c >> 12), put(0x80 | ((c >> 6) & 63)), put(0x80 | (c & 63)), out;
    return put(0xF0 | c >> 18), put(0x80 | ((c >> 12) & 63)), put(0x80 | ((c >> 6) & 63)), put(0x80 | (c & 63)), out;
}

/// Any valid characters, among them many that tokenizers like to change.
std::string randomText(Random& random, std::size_t length)
{
    static const char* awkward[] = { " ", "  ", "\n", "\n\n", "\t", "\r\n", "\xE2\x96\x81", "<s>", "</s>", "<unk>",
        "<0x41>", "\xC2\xA0", "\xE3\x80\x80", "\xEF\xBB\xBF", "\xEF\xBC\xA1", "e\xCC\x81", "\xEF\xAC\x81", "The",
        " red", " kite", ".", "," };
    std::string text;
    while (text.size() < length) {
        const auto kind = random.below(8);
        auto code = random.below(kind == 0 ? 0x110000 : kind < 3 ? 0x3000 : 0x80);
        if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;
        text += kind >= 5 ? std::string(awkward[random.below(std::size(awkward))]) : utf8(code);
    }
    return text;
}

// A model file by hand ---------------------------------------------------------------------------------------------
std::string varint(std::uint64_t value)
{
    std::string out;
    for (; value >= 0x80; value >>= 7) out.push_back(char(value | 0x80));
    out.push_back(char(value));
    return out;
}
std::string field(int number, std::string_view bytes)
{
    std::string out = varint(std::uint64_t(number) << 3 | 2);
    out += varint(bytes.size());
    out += bytes;
    return out;
}
std::string integer(int number, std::uint64_t value)
{
    std::string out = varint(std::uint64_t(number) << 3);
    out += varint(value);
    return out;
}
std::string piece(std::string_view text, float score = 0, int type = 1)
{
    std::string out = field(1, text);
    out += varint(2 << 3 | 5);
    const auto bits = std::bit_cast<std::uint32_t>(score);
    for (int i = 0; i < 4; ++i) out.push_back(char(bits >> (8 * i)));
    out += integer(3, std::uint64_t(type));
    return field(1, out);
}
std::string word32(std::uint32_t value)
{
    std::string out;
    for (int i = 0; i < 4; ++i) out.push_back(char(value >> (8 * i)));
    return out;
}
/// Unknown, two letters; `pieces`, `trainer` and `normaliser` are added as they are.
std::string model(
    const std::string& pieces = {}, const std::string& trainer = integer(3, 1), const std::string& normaliser = {})
{
    std::string out = piece("<unk>", 0, 2);
    out += piece("a", -1);
    out += piece("b", -2);
    out += pieces;
    out += field(2, trainer);
    out += field(3, normaliser);
    return out;
}

} // namespace

class TokenizerTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        stories_ = Tokenizer::train(storyText(400), 1024, sink_, {});
        QVERIFY(sink_.progress > 0);
    }

    void storiesAreOneTokenAWord()
    {
        QVERIFY(stories_->size() <= 1024);
        std::size_t words = 0, tokens = 0;
        for (std::uint64_t i = 0; i < 100; ++i) {
            const auto story = writeStory(1, "test", i);
            words += story.words.size();
            tokens += stories_->encode(story.text()).size();
        }
        QVERIFY2(tokens >= words && double(tokens) < 1.01 * double(words),
            qPrintable(QString::number(double(tokens) / double(words))));
    }

    void nothingIsLost()
    {
        Random random(11);
        for (int i = 0; i < 400; ++i) {
            const auto text = randomText(random, 1 + random.below(300));
            const auto ids = stories_->encode(text);
            QCOMPARE(stories_->decode(ids), text);
            std::string streamed;
            for (const auto id : ids) {
                QVERIFY(id >= 0 && id < stories_->size());
                streamed += stories_->piece(id);
            }
            QCOMPARE(streamed, text);
        }
        for (const std::string text :
            { "", " ", "\n", "  leading", "trailing  ", "\t\ttabs\t", "a\r\nb\r", " \n \n ", "no-break\xC2\xA0here" })
            QCOMPARE(stories_->decode(stories_->encode(text)), text);
        std::string bytes; // not even what is not text
        for (int i = 0; i < 3000; ++i) bytes.push_back(char(random.next()));
        QCOMPARE(stories_->decode(stories_->encode(bytes)), bytes);
        const std::string endless(100'000, 'x');
        QCOMPARE(stories_->decode(stories_->encode(endless)), endless);
    }

    /// Encoding word by word with a cache is encoding the text at once.
    void wordsAreEncodedAsInTheWholeText()
    {
        const auto library = pieceLibrary().load(stories_->model());
        QVERIFY(library);
        for (std::uint64_t i = 0; i < 60; ++i) {
            const auto story = writeStory(2, "valid", i);
            const auto text = story.text();
            std::vector<int> whole;
            QVERIFY(library->encode(text, whole));
            const auto ids = stories_->encode(text);
            QCOMPARE(std::vector<int>(ids.begin(), ids.end()), whole);
            std::vector<std::int32_t> joined;
            for (const auto& word : story.words)
                for (const auto id : stories_->encode(word.text)) joined.push_back(id);
            QCOMPARE(joined, ids);
        }
    }

    void newlineIsOneToken()
    {
        QCOMPARE(stories_->encode("\n").size(), std::size_t(1));
        QCOMPARE(stories_->encode("\n\n\n").size(), std::size_t(3));
        QCOMPARE(stories_->piece(stories_->encode("\n")[0]), std::string("\n"));
        const auto scanned = scanTokenizerModel(stories_->model(), "stories");
        QVERIFY(scanned.lossless());
        QCOMPARE(std::string(scanned.pieces[0].text), std::string("<unk>"));
        QCOMPARE(std::string(scanned.pieces[1].text), std::string("<s>"));
        QCOMPARE(std::string(scanned.pieces[2].text), std::string("</s>"));
        QVERIFY(scanned.pieces[1].type == TokenizerModel::Type::Control
            && scanned.pieces[2].type == TokenizerModel::Type::Control);
    }

    void idsOutOfRangeAreReplacementCharacters()
    {
        const std::string replacement = "\xEF\xBF\xBD";
        for (const std::int32_t id : { -1, -100, int(stories_->size()), 1 << 30 }) {
            QCOMPARE(stories_->piece(id), replacement);
            QCOMPARE(stories_->decode({ id }), replacement);
        }
    }

    void trainingIsDeterministicAndQuiet()
    {
        QTemporaryDir folder;
        const auto log = folder.filePath("stderr").toStdString();
        const int before = dup(2);
        FILE* file = fopen(log.c_str(), "w");
        QVERIFY(file && dup2(fileno(file), 2) >= 0);
        const auto again = Tokenizer::train(storyText(400), 1024, sink_, {});
        dup2(before, 2);
        close(before);
        fclose(file);
        QCOMPARE(again->model(), stories_->model());
        QCOMPARE(again->fingerprint(), sha256Hex(again->model()));
        QVERIFY2(std::ifstream(log).peek() == EOF, "sentencepiece wrote to stderr");
    }

    void smallAndOddTexts_data()
    {
        QTest::addColumn<QByteArray>("text");
        Random random(5);
        std::string chinese, emoji, characters, bytes;
        for (int i = 0; i < 20000; ++i) chinese += utf8(0x4E00 + random.below(20000));
        for (int i = 0; i < 3000; ++i) emoji += utf8(0x1F600 + random.below(70));
        for (int i = 0; i < 300; ++i) characters += randomText(random, 60) + "\n";
        for (int i = 0; i < 50000; ++i) bytes.push_back(char(random.next()));
        const auto row = [](const char* name, const std::string& text) {
            QTest::newRow(name) << QByteArray(text.data(), qsizetype(text.size()));
        };
        row("one letter", "a");
        row("one word", "hello");
        row("one endless word", std::string(200'000, 'x'));
        row("no space", "one\ntwo\nthree\n");
        row("NUL", std::string("a\0b\0c", 5));
        row("not UTF-8", "\xFF\xFE\x80 hi");
        row("names of special pieces", "<s> </s> <unk> <0x0A> \xE2\x96\x81 x");
        row("Chinese without spaces", chinese);
        row("emoji", emoji);
        row("random characters", characters);
        row("random bytes", bytes);
    }
    void smallAndOddTexts()
    {
        QFETCH(QByteArray, text);
        const std::string given(text.data(), std::size_t(text.size()));
        for (const std::int64_t size : { 276, 300, 2000 }) {
            const auto tokenizer = Tokenizer::train(given, size, sink_, {});
            QVERIFY(tokenizer->size() <= size && tokenizer->size() >= 260);
            QCOMPARE(tokenizer->decode(tokenizer->encode(given)), given);
            QCOMPARE(tokenizer->decode(tokenizer->encode("The red kite,  please \n")),
                std::string("The red kite,  please \n"));
        }
    }

    /// Byte pair encoding, with the same promises.
    void bytePairsCanBeTrained()
    {
        const auto bpe = Tokenizer::train(storyText(200), { 900, "bpe" }, sink_, {});
        QVERIFY(bpe->kind() == Tokenizer::Kind::SentencePiece);
        QVERIFY(bpe->size() <= 900 && bpe->size() > 600);
        QCOMPARE(bpe->description(), "sentencepiece BPE, " + std::to_string(bpe->size()) + " pieces");
        QVERIFY(bpe->fingerprint() != stories_->fingerprint());
        Random random(12);
        for (int i = 0; i < 100; ++i) {
            const auto text = randomText(random, 1 + random.below(200));
            QCOMPARE(bpe->decode(bpe->encode(text)), text);
        }
        const auto story = writeStory(1, "test", 0);
        QVERIFY(double(bpe->encode(story.text()).size()) < 1.3 * double(story.words.size()));
    }

    /// Without bytes an unknown character is one unknown piece, and all the rest comes back.
    void bytesCanBeLeftOut()
    {
        for (const char* kind : { "unigram", "bpe" }) {
            const auto small = Tokenizer::train(storyText(200), { 200, kind, false }, sink_, {});
            QVERIFY(small->size() <= 200);
            QVERIFY(!scanTokenizerModel(small->model(), "small").byteFallback);
            QCOMPARE(small->decode(small->encode("The red kite\n  was here.\n")),
                std::string("The red kite\n  was here.\n"));
            QCOMPARE(small->decode(small->encode("a \xE6\x97\xA5 b")), std::string("a \xEF\xBF\xBD b"));
        }
    }

    void trainingTellsHowFarItIs()
    {
        if (!canForkWithThreads) QSKIP("the library's log comes from a child process");
        for (const char* kind : { "unigram", "bpe" }) {
            Recorder recorder;
            Tokenizer::train(storyText(300), { 600, kind }, recorder, {});
            const auto& shares = recorder.shares;
            QVERIFY2(shares.size() > (kind == std::string("bpe") ? 10 : 2), kind);
            QVERIFY(std::is_sorted(shares.begin(), shares.end()));
            QVERIFY(shares.front() < 0.2);
            QCOMPARE(shares.back(), 1.0);
        }
    }

    void textsWithoutCharactersAreRefused()
    {
        for (const std::string text : { "", "   \n ", "\n\n\n", "\t\t" }) {
            QVERIFY_THROWS_EXCEPTION(DataError, Tokenizer::train(text, 1024, sink_, {}));
        }
        QVERIFY_THROWS_EXCEPTION(DataError, Tokenizer::train("some text", 200, sink_, {}));
    }

    void trainingCanBeStopped()
    {
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, Tokenizer::train(storyText(5), 1024, sink_, stop.get_token()));
    }

    void encodingIsThreadSafe()
    {
        std::vector<std::vector<std::int32_t>> results(4);
        const auto text = storyText(60);
        {
            std::vector<std::jthread> threads;
            for (auto& result : results) threads.emplace_back([&] { result = stories_->encode(text); });
        }
        for (const auto& result : results) QCOMPARE(result, results[0]);
    }

    void savedModelsCanBeLoaded()
    {
        const auto copy = Tokenizer::fromModel(stories_->model(), "copy");
        QCOMPARE(copy->encode("The red kite"), stories_->encode("The red kite"));
        QTemporaryDir folder;
        const std::filesystem::path file = folder.filePath("tokenizer.model").toStdString();
        std::ofstream(file, std::ios::binary) << stories_->model();
        QCOMPARE(Tokenizer::load(file)->fingerprint(), stories_->fingerprint());
        QVERIFY_THROWS_EXCEPTION(DataError, Tokenizer::load(folder.filePath("absent").toStdString()));
    }

    /// A genuine model with a normaliser, a space before the text and no bytes: accepted, and lossy only where it must
    /// be.
    void foreignModels_data()
    {
        QTest::addColumn<QString>("type");
        for (const char* type : { "unigram", "bpe", "char", "word" }) QTest::newRow(type) << QString(type);
    }
    void foreignModels()
    {
        QFETCH(QString, type);
        const auto text = storyText(100);
        std::vector<std::string> lines;
        for (std::size_t begin = 0; begin < text.size();) {
            const auto end = text.find('\n', begin);
            if (end > begin) lines.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
        std::size_t at = 0;
        std::string serialised;
        const auto complaint = pieceLibrary().train(
            { { "model_type", type.toStdString() }, { "vocab_size", "400" }, { "minloglevel", "4" },
                { "hard_vocab_limit", "false" }, { "normalization_rule_name", "nmt_nfkc" } },
            [&] { return at < lines.size() ? &lines[at++] : nullptr; }, serialised);
        QCOMPARE(complaint, std::string());
        const auto scanned = scanTokenizerModel(serialised, "foreign");
        QVERIFY(scanned.normalises && !scanned.lossless());
        const auto tokenizer = Tokenizer::fromModel(serialised, "foreign");
        const std::string sentence = "Anna went to the barn.";
        QCOMPARE(tokenizer->decode(tokenizer->encode(sentence)), sentence);
        QVERIFY(!tokenizer->encode("\xFF bad \xE6\x97\xA5").empty());
        // The same model with one damaged unit of its normaliser's table is not.
        const auto& damaged = serialised;
        const auto name = damaged.find("nmt_nfkc");
        QVERIFY(name != std::string::npos);
        const auto map = name + 8; // then the field's tag, three bytes of length, the table's length, its units
        std::size_t refused = 0;
        for (std::size_t unit = 0; unit < 40; ++unit) {
            auto broken = damaged;
            for (std::size_t i = 0; i < 4; ++i) broken[map + 16 + 4 * unit + i] = '\x7E';
            try {
                Tokenizer::fromModel(broken, "broken");
            } catch (const DataError&) {
                ++refused;
            }
        }
        QCOMPARE(refused, std::size_t(40));
    }

    void hostileModels_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        const auto row = [](const char* name, const std::string& bytes) {
            QTest::newRow(name) << QByteArray(bytes.data(), qsizetype(bytes.size()));
        };
        row("empty", "");
        row("text", "This is not a model at all.");
        row("zeros", std::string(1000, '\0'));
        row("cut", stories_->model().substr(0, stories_->model().size() - 7));
        row("cut early", stories_->model().substr(0, 100));
        row("larger than 32 MB", model(field(9, std::string(std::size_t(33) << 20, 'x'))));
        row("piece of 1 MB", model(piece(std::string(1 << 20, 'x'))));
        row("piece of 1025 bytes", model(piece(std::string(1025, 'x'))));
        row("empty piece", model(piece("")));
        row("NUL piece", model(piece(std::string(1, '\0'))));
        row("piece with NUL inside", model(piece(std::string("a\0b", 3))));
        row("piece is not UTF-8", model(piece("\xFF\xC0")));
        row("score NaN", model(piece("c", std::nanf(""))));
        row("score infinite", model(piece("c", INFINITY)));
        row("piece of type 7", model(piece("c", 0, 7)));
        row("piece twice", model(piece("a")));
        row("two unknowns", model(piece("<unk2>", 0, 2)));
        row("no unknown", piece("a") + field(2, integer(3, 1)));
        row("model type 0", model({}, integer(3, 0)));
        row("model type 99", model({}, integer(3, 99)));
        row("two trainer specs", model(field(2, integer(3, 2))));
        row("two normalisers", model(field(3, {})));
        row("bytes without all of them", model(piece("<0x41>", 0, 6), integer(3, 1) + integer(35, 1)));
        row("bytes without fallback", model(piece("<0x41>", 0, 6)));
        row("malformed byte piece", model(piece("<0x4>", 0, 6)));
        row("length beyond the end", model() + std::string("\x0A\xFF\xFF\xFF\xFF\x0F", 6));
        row("endless varint", model() + std::string(1, '\x08') + std::string(20, '\xFF'));
        row("group", model() + std::string("\x0B", 1));
        row("field zero", model() + std::string("\x02\x00", 2));
        row("piece is a number", model(integer(1, 5)));
        row("map too short", model({}, integer(3, 1), field(2, "abc")));
        row("map length too long", model({}, integer(3, 1), field(2, word32(4096) + std::string(64, '\0'))));
        row("map length not whole", model({}, integer(3, 1), field(2, word32(6) + std::string(64, '\0'))));
        std::string units;
        for (int i = 0; i < 256; ++i) units += word32(0);
        const auto map = [&](std::size_t unit, std::uint32_t value) {
            auto table = word32(1024) + units;
            table.replace(4 + 4 * unit, 4, word32(value));
            return model({}, integer(3, 1), field(2, table + std::string("x\0", 2)));
        };
        row("map root is a leaf", map(0, 0x80000000));
        row("map root points outside", map(0, 0xFFFFu << 10));
        row("map unit points outside", map(9, 1u << 18));
        row("map unit with a shifted offset outside", map(9, 1u << 10 | 0x200));
        row("map replacement outside", map(9, 0x80000000u | 100));
        row("map without an end", model({}, integer(3, 1), field(2, word32(1024) + units + "x")));
        row("denormaliser map outside", model(field(5, field(2, word32(4096) + "x"))));
    }
    void hostileModels()
    {
        QFETCH(QByteArray, bytes);
        const std::string given(bytes.data(), std::size_t(bytes.size()));
        try {
            Tokenizer::fromModel(given, "evil.model");
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY(error.problem().starts_with("evil.model: "));
        }
    }

    void smallModelByHandIsAccepted()
    {
        const auto tokenizer = Tokenizer::fromModel(model(), "small");
        QCOMPARE(tokenizer->size(), std::int64_t(3));
        QVERIFY(!tokenizer->encode("ab").empty());
    }

    /// Damaged copies of a good model are refused or work; none ends the program.
    void damagedModels()
    {
        Random random(77);
        int refused = 0;
        for (int i = 0; i < 150; ++i) {
            auto damaged = stories_->model();
            const auto changes = 1 + random.below(4);
            for (std::uint64_t k = 0; k < changes; ++k) {
                // Mostly where the structure is: the beginning and the end.
                const auto span = random.below(2) ? damaged.size() : std::size_t(200);
                const auto at = random.below(2) ? random.below(span) : damaged.size() - 1 - random.below(span);
                damaged[at] = char(random.next());
            }
            if (random.below(5) == 0) damaged.resize(random.below(damaged.size()));
            try {
                const auto tokenizer = Tokenizer::fromModel(damaged, "damaged");
                tokenizer->decode(tokenizer->encode("The red kite \xF0\x9F\x98\x80\n  was in the barn."));
            } catch (const Error&) {
                ++refused;
            }
        }
        QVERIFY(refused > 30);
    }

    void streamedTextIsWhole()
    {
        Random random(3);
        for (int i = 0; i < 200; ++i) {
            const auto text = randomText(random, 80);
            TextDecoder decoder;
            std::string shown;
            for (std::size_t at = 0; at < text.size();) {
                const auto size = std::min<std::size_t>(1 + random.below(3), text.size() - at);
                const auto part = decoder.push(std::string_view(text).substr(at, size));
                QVERIFY(validUtf8(part));
                shown += part;
                at += size;
            }
            shown += decoder.flush();
            QCOMPARE(shown, text);
        }
        TextDecoder decoder;
        QCOMPARE(decoder.push("a\xE2\x82"), std::string("a"));
        QCOMPARE(decoder.push("\xAC"), std::string("\xE2\x82\xAC"));
        QCOMPARE(decoder.push("\xF0\x9F\x98"), std::string());
        QCOMPARE(decoder.push("x"), std::string("\xEF\xBF\xBDx"));
        QCOMPARE(decoder.push("\xF0\x9F"), std::string());
        QCOMPARE(decoder.flush(), std::string("\xEF\xBF\xBD"));
        QCOMPARE(decoder.flush(), std::string());
    }

    void invalidUtf8IsRepairedAndCounted_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<int>("repairs");
        QTest::newRow("fine") << QByteArray("Gr\xC3\xBC\xC3\x9F"
                                            "e \xF4\x8F\xBF\xBF")
                              << 0;
        QTest::newRow("lone continuation") << QByteArray("a\x80"
                                                         "b")
                                           << 1;
        QTest::newRow("overlong") << QByteArray("\xC0\xAF") << 2;
        QTest::newRow("overlong three") << QByteArray("\xE0\x80\xAF") << 3;
        QTest::newRow("surrogate") << QByteArray("\xED\xA0\x80") << 3;
        QTest::newRow("beyond Unicode") << QByteArray("\xF4\x90\x80\x80") << 4;
        QTest::newRow("cut at the end") << QByteArray("x\xE2\x82") << 1;
        QTest::newRow("cut in the middle") << QByteArray("\xE2\x82x\xF0\x9F\x98") << 2;
        QTest::newRow("FF") << QByteArray("\xFF\xFE") << 2;
    }
    void invalidUtf8IsRepairedAndCounted()
    {
        QFETCH(QByteArray, bytes);
        QFETCH(int, repairs);
        const std::string given(bytes.data(), std::size_t(bytes.size()));
        std::int64_t counted = 0;
        const auto text = repairUtf8(given, counted);
        QCOMPARE(counted, std::int64_t(repairs));
        QVERIFY(validUtf8(text));
        QCOMPARE(validUtf8(given), repairs == 0);
        std::size_t marks = 0;
        for (std::size_t at = 0; (at = text.find("\xEF\xBF\xBD", at)) != std::string::npos; ++at) ++marks;
        QCOMPARE(marks, std::size_t(repairs));
        if (repairs == 0) QCOMPARE(text, given);
    }

private:
    Recorder sink_;
    std::unique_ptr<Tokenizer> stories_;
};

PHA_TEST(TokenizerTest)
#include "tokenizer_test.moc"
