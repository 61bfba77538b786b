// SPDX-License-Identifier: GPL-3.0-or-later
// Corpora: batches that continue exactly, splits with honest figures, texts of every kind, caches that are never
// trusted.
#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/posix_file.h"
#include "engine/data/cache.h"
#include "engine/data/corpus.h"
#include "engine/data/ngrams.h"
#include "engine/data/random.h"
#include "engine/data/stories.h"
#include "tests/suite.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <set>
#include <sstream>
#include <sys/stat.h>

using namespace pha;
namespace fs = std::filesystem;

namespace {

class StepNames : public EventSink {
public:
    void publish(const Event& event) override
    {
        if (const auto* progress = std::get_if<ProgressEvent>(&event)) seen.insert(progress->what);
    }
    std::set<std::string> seen;
};

bool operator==(const Batch& a, const Batch& b)
{
    return a.rows == b.rows && a.context == b.context && a.ids == b.ids && a.targets == b.targets;
}

std::ptrdiff_t entries(const fs::path& folder)
{
    return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

/// "Line 17 says: ..." with words that do not repeat too soon.
std::string numberedLines(int count, const char* end = "\n")
{
    std::string text;
    Random random(9);
    for (int i = 0; i < count; ++i) {
        text += "Line ";
        text += std::to_string(i);
        text += " says:";
        for (int k = 0; k < 9; ++k) {
            text += " word";
            text += std::to_string(random.below(60));
        }
        text += end;
        if (i % 7 == 6) text += end;
    }
    return text;
}

std::int64_t countWords(const std::string& text)
{
    std::istringstream in(text);
    std::string word;
    std::int64_t words = std::count(text.begin(), text.end(), '\n');
    while (in >> word) ++words;
    return words;
}

std::string decode(const Corpus& corpus, const std::vector<std::int32_t>& tokens)
{
    return corpus.tokenizer()->decode(tokens);
}

std::vector<std::string> linesOf(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        if (!line.empty()) lines.push_back(line);
    return lines;
}

} // namespace

class CorpusTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QVERIFY(home_.isValid());
        qputenv("XDG_CACHE_HOME", home_.filePath("cache").toUtf8());
        stories_ = open("stories");
    }
    void init() { qputenv("XDG_CACHE_HOME", home_.filePath("cache").toUtf8()); }

    // Stories -------------------------------------------------------------------------------------------------------
    void storySplits()
    {
        std::set<std::string> texts;
        for (const char* name : { "valid", "test", "train" }) {
            const auto& split = stories_->split(name);
            QCOMPARE(split.name, std::string(name));
            QVERIFY(split.tokens.size() > 50'000 && split.tokens.size() < 110'000);
            QCOMPARE(split.nats.size(), split.tokens.size());
            const auto text = decode(*stories_, split.tokens);
            QVERIFY(texts.insert(text).second);
            double nats = 0, expected = 0;
            for (const float each : split.nats) nats += double(each);
            std::string written;
            std::int64_t answers = 0;
            for (std::uint64_t i = 0; written.size() < text.size(); ++i) {
                const auto story = writeStory(1, name, i);
                written += story.text();
                for (const auto& word : story.words) expected -= std::log(word.probability), answers += word.answer;
            }
            QCOMPARE(text, written);
            QVERIFY2(std::abs(nats - expected) < 0.05, qPrintable(QString::number(nats - expected)));
            QCOMPARE(std::int64_t(split.probes.size()), answers);
            checkCounts(*stories_, split);
        }
        QVERIFY_THROWS_EXCEPTION(DataError, stories_->split("dev"));
    }

    /// Each question's token begins the word that was said `distance` words ago.
    void storyProbes()
    {
        const auto& split = stories_->split("valid");
        std::size_t repeated = 0;
        std::int64_t before = -1;
        for (const auto& probe : split.probes) {
            QVERIFY(probe.index > before && probe.index < std::int64_t(split.tokens.size()));
            before = probe.index;
            QVERIFY(probe.distance > 0 && probe.chance > 0.04 && probe.chance <= 0.5);
            QCOMPARE(split.nats[std::size_t(probe.index)], 0.f);
            const auto token = split.tokens[std::size_t(probe.index)];
            const auto from = std::max<std::int64_t>(0, probe.index - probe.distance - probe.distance / 8 - 4);
            repeated += std::find(split.tokens.begin() + from, split.tokens.begin() + probe.index, token)
                != split.tokens.begin() + probe.index;
        }
        QVERIFY(split.probes.size() > 1000);
        QVERIFY(repeated * 100 > split.probes.size() * 95);
    }

    void storyReferences()
    {
        const auto& lines = stories_->references();
        QCOMPARE(lines.uniform, std::log(double(stories_->tokenizer()->size())));
        QVERIFY(lines.floor && *lines.floor > 0.3);
        QVERIFY(*lines.floor < lines.bigram && lines.bigram < lines.unigram && lines.unigram < lines.uniform);
        const auto& nats = stories_->split("valid").nats;
        const double floor = std::accumulate(nats.begin() + 1, nats.end(), 0.0) / double(nats.size() - 1);
        QVERIFY(std::abs(floor - *lines.floor) < 1e-9);
    }

    void storyBatchesAreContinuousStories()
    {
        const auto source = stories_->batches(3, 50, 4);
        std::vector<std::vector<std::int32_t>> rows(3);
        std::vector<std::int64_t> lastTarget(3, -1);
        for (int i = 0; i < 60; ++i) {
            const auto batch = source->next();
            QCOMPARE(batch.rows, std::int64_t(3));
            QCOMPARE(batch.context, std::int64_t(50));
            QCOMPARE(batch.ids.size(), std::size_t(150));
            QCOMPARE(batch.targets.size(), std::size_t(150));
            for (std::size_t r = 0; r < 3; ++r) {
                if (i > 0) QCOMPARE(batch.ids[r * 50], lastTarget[r]);
                lastTarget[r] = batch.targets[r * 50 + 49];
                for (std::size_t t = 0; t < 50; ++t) {
                    rows[r].push_back(std::int32_t(batch.ids[r * 50 + t]));
                    if (t < 49) QCOMPARE(batch.targets[r * 50 + t], batch.ids[r * 50 + t + 1]);
                }
            }
        }
        std::set<std::string> seen;
        for (const auto& row : rows) {
            const auto text = decode(*stories_, row);
            for (std::size_t begin = 0, end; (end = text.find("\n\n", begin)) != std::string::npos; begin = end + 2) {
                const auto story = text.substr(begin, end + 2 - begin);
                QVERIFY2(seen.insert(story).second, "a story was read twice");
                readStory(story); // throws unless it is a whole story
            }
        }
        QVERIFY(seen.size() >= 15);
    }

    void storyBatchesContinueExactly() { checkExactRestore(*stories_, 4, 64); }
    void storyBatchesDependOnTheSeed()
    {
        QVERIFY(stories_->batches(2, 32, 1)->next() == stories_->batches(2, 32, 1)->next());
        QVERIFY(!(stories_->batches(2, 32, 1)->next() == stories_->batches(2, 32, 2)->next()));
    }
    void damagedPositionsAreRefused() { checkDamagedStates(*stories_); }

    void tokenizerIsCached()
    {
        StepNames again;
        DataConfig config;
        const auto second = Corpus::open(config, nullptr, again, {});
        QCOMPARE(second->tokenizer()->fingerprint(), stories_->tokenizer()->fingerprint());
        QVERIFY2(again.seen.empty(), "it was trained again");
        QCOMPARE(second->fingerprint(), stories_->fingerprint());
        // Damage is noticed.
        for (const auto& entry : fs::directory_iterator(cacheFolder())) {
            std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(2000);
            file.put('\x55');
        }
        const auto third = Corpus::open(config, nullptr, again, {});
        QVERIFY(again.seen.contains("training the tokenizer"));
        QCOMPARE(third->tokenizer()->fingerprint(), stories_->tokenizer()->fingerprint());
    }

    void storiesWithAForeignTokenizer()
    {
        const auto tokenizer = Tokenizer::train(numberedLines(500), 320, sink_, {});
        DataConfig config;
        const auto corpus = Corpus::open(
            config, std::shared_ptr<const Tokenizer>(Tokenizer::fromModel(tokenizer->model(), "own")), sink_, {});
        const auto& split = corpus->split("valid");
        QCOMPARE(decode(*corpus, split.tokens), decode(*stories_, stories_->split("valid").tokens));
        double nats = 0, own = 0;
        for (const float each : split.nats) nats += double(each);
        for (const float each : stories_->split("valid").nats) own += double(each);
        QVERIFY(std::abs(nats - own) < 0.05);
        QCOMPARE(split.words.back(), stories_->split("valid").words.back());
        QCOMPARE(split.probes.size(), stories_->split("valid").probes.size());
        checkCounts(*corpus, split);
    }

    void dataSeedChangesTheText()
    {
        DataConfig config;
        config.dataSeed = 2;
        const auto other = Corpus::open(config, nullptr, sink_, {});
        QVERIFY(other->fingerprint() != stories_->fingerprint());
        QVERIFY(decode(*other, other->split("valid").tokens) != decode(*stories_, stories_->split("valid").tokens));
        QVERIFY(!stories_->samplePrompt().empty());
    }

    // Texts ---------------------------------------------------------------------------------------------------------
    void everyLineIsInOneSplit()
    {
        const auto text = numberedLines(4000);
        const auto corpus = open(write("lines.txt", text));
        std::multiset<std::string> found;
        std::map<std::string, std::size_t> sizes;
        for (const char* name : { "train", "valid", "test" }) {
            const auto& split = corpus->split(name);
            const auto part = decode(*corpus, split.tokens);
            sizes[name] = part.size();
            for (auto& line : linesOf(part)) found.insert(std::move(line));
            checkCounts(*corpus, split);
            QVERIFY(split.nats.empty() && split.probes.empty());
        }
        const auto lines = linesOf(text);
        QVERIFY(found == std::multiset<std::string>(lines.begin(), lines.end()));
        const double total = double(text.size());
        QVERIFY(sizes["valid"] > 0.035 * total && sizes["valid"] < 0.065 * total);
        QVERIFY(sizes["test"] > 0.035 * total && sizes["test"] < 0.065 * total);
        QVERIFY(!corpus->references().floor);
        QVERIFY(corpus->references().bigram < corpus->references().unigram);
        QVERIFY(corpus->references().unigram < corpus->references().uniform);
        QVERIFY(!corpus->samplePrompt().empty());
        QVERIFY(corpus->description().starts_with("lines.txt, "));
    }

    void textBatchesCoverAnEpoch()
    {
        const auto corpus = open(write("epoch.txt", numberedLines(600)));
        const auto& train = corpus->split("train").tokens;
        const std::size_t context = 37;
        const auto source = corpus->batches(1, std::int64_t(context), 3);
        std::vector<std::vector<std::size_t>> epochs(1);
        for (int i = 0; i < 2 * int(train.size() / context); ++i) {
            const auto epoch = std::size_t(source->state()["epoch"].get<std::int64_t>());
            const auto batch = source->next();
            const std::vector<std::int32_t> window(batch.ids.begin(), batch.ids.end());
            const auto at = std::search(train.begin(), train.end(), window.begin(), window.end());
            QVERIFY(at != train.end());
            const auto position = std::size_t(at - train.begin());
            for (std::size_t t = 0; t < context; ++t) QCOMPARE(batch.targets[t], std::int64_t(train[position + t + 1]));
            const auto now = std::size_t(source->state()["epoch"].get<std::int64_t>());
            if (now > epoch) epochs.emplace_back();
            epochs.back().push_back(position);
        }
        QVERIFY(epochs.size() >= 2);
        const auto first = epochs[0];
        QVERIFY(!std::is_sorted(first.begin(), first.end()));
        std::set<std::size_t> positions(first.begin(), first.end());
        QCOMPARE(positions.size(), first.size());
        for (const auto position : positions) QCOMPARE(position % context, *positions.begin() % context);
        QVERIFY(train.size() - positions.size() * context < 2 * context + 1);
        QVERIFY(epochs[1][0] != first[0] || epochs[1][1] != first[1]);
    }

    void textBatchesContinueExactly() { checkExactRestore(*open(write("exact.txt", numberedLines(300))), 3, 101); }
    void damagedTextPositionsAreRefused() { checkDamagedStates(*open(write("state.txt", numberedLines(300)))); }

    void contextMustFit()
    {
        const auto corpus = open(write("short.txt", numberedLines(60)));
        const auto tokens = std::int64_t(corpus->split("train").tokens.size());
        for (int i = 0; i < 3; ++i)
            QCOMPARE(corpus->batches(2, tokens - 1, i)->next().ids.size(), std::size_t(2 * (tokens - 1)));
        QVERIFY_THROWS_EXCEPTION(DataError, corpus->batches(2, tokens, 1));
        QVERIFY_THROWS_EXCEPTION(DataError, corpus->batches(2, 0, 1));
        QVERIFY_THROWS_EXCEPTION(DataError, stories_->batches(0, 8, 1));
        try {
            corpus->batches(1, 1 << 20, 1);
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY(error.problem().find(std::to_string((1 << 20) + 1)) != std::string::npos);
        }
    }

    /// A text that is too short for parts is evaluated as a whole, whichever part is asked for; nothing trains on it.
    void shortTextsAreEvaluatedWhole()
    {
        const auto tokenizer = open(write("long.txt", numberedLines(300)))->tokenizer();
        const auto openShort = [&](const std::string& text) {
            DataConfig config;
            config.data = write("few.txt", text);
            return Corpus::open(config, tokenizer, sink_, {});
        };
        for (const std::string text : { "a\n", "Just one line of text.\n", "Twice.\n\nTwice.\n" }) {
            const auto corpus = openShort(text);
            for (const char* name : { "valid", "test", "train" })
                QCOMPARE(
                    QString::fromStdString(decode(*corpus, corpus->split(name).tokens)), QString::fromStdString(text));
            checkCounts(*corpus, corpus->split("test"));
            QVERIFY_THROWS_EXCEPTION(DataError, corpus->split("dev"));
            QVERIFY_THROWS_EXCEPTION(DataError, corpus->batches(1, 1, 1));
        }
    }

    void lineEndsAndInvalidBytes()
    {
        const auto plain = numberedLines(400);
        auto windows = numberedLines(400, "\r\n");
        windows.insert(0, "\xEF\xBB\xBF");
        const auto a = open(write("unix.txt", plain));
        const auto b = open(write("windows.txt", windows));
        std::string texts[2];
        for (const char* name : { "train", "valid", "test" }) {
            texts[0] += decode(*a, a->split(name).tokens);
            texts[1] += decode(*b, b->split(name).tokens);
        }
        QVERIFY(texts[1].find('\r') == std::string::npos && texts[1].find("\xEF\xBB\xBF") == std::string::npos);
        auto lines = linesOf(texts[0]), same = linesOf(texts[1]);
        std::sort(lines.begin(), lines.end());
        std::sort(same.begin(), same.end());
        QVERIFY(lines == same);

        auto broken = plain;
        for (std::size_t at = 100; at < broken.size(); at += broken.size() / 5) broken[at] = '\xFF';
        broken[150] = '\0';
        const auto c = open(write("broken.txt", broken));
        QVERIFY2(c->description().find("5 invalid characters replaced, 1 NUL bytes replaced") != std::string::npos,
            c->description().c_str());
        for (const char* name : { "train", "valid", "test" }) QVERIFY(validUtf8(decode(*c, c->split(name).tokens)));
    }

    /// Texts that are the same once they are cleaned share what is kept of them, but not what had to be cleaned.
    void repairsAreThoseOfTheFile()
    {
        for (const bool windowsFirst : { false, true }) {
            const std::string name = windowsFirst ? "after" : "before";
            const int count = windowsFirst ? 392 : 385; // another text, of whole paragraphs
            const auto plain = numberedLines(count), windows = numberedLines(count, "\r\n");
            const auto unixPath = write((name + "-unix.txt").c_str(), plain);
            const auto windowsPath = write((name + "-windows.txt").c_str(), windows);
            const auto first = open(windowsFirst ? windowsPath : unixPath);
            const auto second = open(windowsFirst ? unixPath : windowsPath);
            QCOMPARE(second->fingerprint(), first->fingerprint());
            const auto& a = windowsFirst ? second : first;
            const auto& b = windowsFirst ? first : second;
            QVERIFY2(!a->card()->repairs.any(), a->description().c_str());
            QCOMPARE(a->card()->sources, std::vector { unixPath });
            QCOMPARE(b->card()->repairs.lineEnds, std::count(windows.begin(), windows.end(), '\r'));
            QCOMPARE(b->card()->sources, std::vector { windowsPath });
            QVERIFY(b->description().find("line ends changed") != std::string::npos);
        }
    }

    void folders()
    {
        const auto folder = home_.filePath("folder").toStdString();
        fs::create_directories(folder + "/deep/er");
        write("folder/b.txt", numberedLines(50));
        write("folder/deep/er/a.TXT", "Alone without a line end");
        write("folder/empty.txt", "");
        write("folder/picture.png", "\x89PNG");
        fs::create_symlink("/dev/zero", folder + "/trap.txt");
        fs::create_directory_symlink("..", folder + "/deep/loop");
        const auto corpus = open(folder);
        std::string text;
        for (const char* name : { "train", "valid", "test" }) text += decode(*corpus, corpus->split(name).tokens);
        QVERIFY(text.find("Alone without a line end\n") != std::string::npos);
        QVERIFY(text.find("PNG") == std::string::npos);
        QVERIFY(corpus->description().find("3 files") != std::string::npos);
    }

    void wikiTextKeepsItsSplits()
    {
        fs::create_directories(home_.filePath("wiki").toStdString());
        write("wiki/wiki.train.raw", numberedLines(200));
        write("wiki/wiki.valid.raw", "\n = Valid = \n \n The words of the valid part .\n");
        write("wiki/wiki.test.raw", "\n = Test = \n \n The words of the test part .\n");
        const auto corpus = open(home_.filePath("wiki").toStdString());
        QCOMPARE(decode(*corpus, corpus->split("valid").tokens),
            std::string("\n = Valid = \n \n The words of the valid part .\n"));
        QCOMPARE(decode(*corpus, corpus->split("test").tokens),
            std::string("\n = Test = \n \n The words of the test part .\n"));
        QCOMPARE(corpus->split("valid").words.back(), 3 + 7 + 4);
        QVERIFY(decode(*corpus, corpus->split("train").tokens) == numberedLines(200));
    }

    /// One line without an end is cut at spaces, so that it can be read in pieces and still be divided.
    void oneLongLine()
    {
        std::string text;
        while (text.size() < 300'000)
            text += std::string(text.empty() ? "" : " ").append("word" + std::to_string(text.size()));
        const auto corpus = open(write("oneline.txt", text));
        std::multiset<std::string> words, found;
        std::string word;
        for (std::istringstream in(text); in >> word;) words.insert(word);
        for (const char* name : { "train", "valid", "test" })
            for (std::istringstream in(decode(*corpus, corpus->split(name).tokens)); in >> word;) found.insert(word);
        QVERIFY(words == found);
    }

    void refusals_data()
    {
        QTest::addColumn<QString>("path");
        QTest::addColumn<QString>("expected");
        const auto file = [&](const char* name, const std::string& content) {
            return QString::fromStdString(write(name, content));
        };
        QTest::newRow("empty") << file("empty.txt", "") << "is empty";
        QTest::newRow("one byte") << file("byte.txt", "x") << "too short";
        QTest::newRow("one line") << file("line.txt", "Just one line of text.\n") << "too short";
        QTest::newRow("line ends") << file("ends.txt", std::string(5000, '\n')) << "nothing but blanks";
        QTest::newRow("blanks") << file("blanks.txt", std::string(5000, ' ')) << "nothing but blanks";
        QTest::newRow("UTF-16") << file("utf16.txt", std::string("\xFF\xFEh\0i\0", 6)) << "UTF-16";
        std::string binary;
        Random random(1);
        for (int i = 0; i < 50000; ++i) binary.push_back(char(random.next()));
        QTest::newRow("binary") << file("binary.txt", binary) << "does not look like text";
        QTest::newRow("missing") << home_.filePath("missing.txt") << "no such file";
        QTest::newRow("unknown name") << "storeis"
                                      << "did you mean stories?";
        QTest::newRow("empty name") << ""
                                    << "neither a built-in corpus";
        fs::create_directories(home_.filePath("nothing").toStdString());
        QTest::newRow("folder without text") << home_.filePath("nothing") << "holds no texts";
        const auto fifo = home_.filePath("fifo.txt");
        mkfifo(fifo.toUtf8().constData(), 0600);
        QTest::newRow("FIFO") << fifo << "not a regular file";
        QTest::newRow("device") << "/dev/zero"
                                << "not a regular file";
    }
    void refusals()
    {
        QFETCH(QString, path);
        QFETCH(QString, expected);
        try {
            open(path.toStdString());
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY2(QString(error.what()).contains(expected), error.what());
        }
    }

    void tokensAreCachedAndChecked()
    {
        const auto path = write("cached.txt", numberedLines(500));
        const auto reference = decode(*open(path), open(path)->split("valid").tokens);
        StepNames quiet;
        DataConfig config;
        config.data = path;
        config.vocabSize = 600;
        const auto key = Corpus::open(config, nullptr, quiet, {})->fingerprint().substr(0, 32);
        QVERIFY2(!quiet.seen.contains("encoding text"), "it was encoded again");
        fs::path cached;
        for (const auto& entry : fs::directory_iterator(cacheFolder()))
            if (entry.path().filename().string().starts_with("corpus-" + key)) cached = entry.path();
        QVERIFY(!cached.empty());
        for (const char* name : { "train.bin", "valid.bin", "sample.bin", "corpus.json" }) {
            const auto file = cached / name;
            const auto size = fs::file_size(file);
            const auto damage = [&](const std::function<void()>& how) {
                how();
                StepNames seen;
                const auto corpus = Corpus::open(config, nullptr, seen, {});
                QVERIFY2(seen.seen.contains("encoding text"), name);
                QCOMPARE(decode(*corpus, corpus->split("valid").tokens), reference);
                QCOMPARE(fs::file_size(file), size);
            };
            const auto flip = [&](std::uintmax_t at) {
                std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
                bytes.seekg(std::streamoff(at));
                const auto byte = char(bytes.get() ^ 0x10);
                bytes.seekp(std::streamoff(at));
                bytes.put(byte);
            };
            damage([&] { fs::resize_file(file, size / 2); });
            damage([&] { fs::resize_file(file, 0); });
            damage([&] { fs::remove(file); });
            if (fs::path(name).extension() != ".bin") continue;
            damage([&] { flip(3); }); // magic
            damage([&] { flip(16); }); // count
            damage([&] { flip(90); }); // a fingerprint
            damage([&] { flip(size - 10); });
            damage([&] { fs::resize_file(file, size + 4); });
        }
        // Another text under the same name is another corpus.
        write("cached.txt", numberedLines(501));
        StepNames seen;
        QVERIFY(Corpus::open(config, nullptr, seen, {})->fingerprint().substr(0, 32) != key);
        QVERIFY(seen.seen.contains("encoding text"));
    }

    /// A text that is another one by now is surveyed once more, whatever its size and time say.
    void aChangedTextOfTheSameSizeAndTime()
    {
        auto text = numberedLines(400);
        const auto path = write("same-size.txt", text);
        const auto time = fs::last_write_time(path);
        const auto before = open(path)->fingerprint();
        for (auto& c : text)
            if (c == '7') c = '8';
        write("same-size.txt", text);
        fs::last_write_time(path, time);
        const auto corpus = open(path); // with the tokens of the text before in the cache
        QVERIFY(corpus->fingerprint() != before);
        QVERIFY(decode(*corpus, corpus->split("valid").tokens).find('7') == std::string::npos);
        DataConfig config;
        config.data = path;
        config.tokenizer = "bytes";
        StepNames again;
        QCOMPARE(Corpus::open(config, nullptr, again, {})->fingerprint(), corpus->fingerprint());
        QVERIFY(!again.seen.contains("reading text"));
        // Other rights cost one more reading.
        fs::permissions(path, fs::perms::owner_read);
        StepNames rights;
        QCOMPARE(Corpus::open(config, nullptr, rights, {})->fingerprint(), corpus->fingerprint());
        QVERIFY(rights.seen.contains("reading text") && !rights.seen.contains("encoding text"));
    }

    /// Nor is a survey trusted that says something else than the text.
    void aSurveyOfAnotherText()
    {
        const auto surveys = [] {
            std::set<fs::path> files;
            for (const auto& entry : fs::directory_iterator(cacheFolder()))
                if (entry.path().filename().string().starts_with("survey-")) files.insert(entry.path());
            return files;
        };
        const auto old = surveys();
        const auto path = write("surveyed.txt", numberedLines(410));
        const auto fingerprint = open(path)->fingerprint();
        auto added = surveys();
        for (const auto& file : old) added.erase(file);
        QCOMPARE(added.size(), std::size_t(1));
        auto json = Json::parse(readFile(*added.begin()));
        for (const char* key : { "chain", "fingerprint" }) json[key] = std::string(64, '0');
        std::ofstream(*added.begin()) << json.dump();
        DataConfig config;
        config.data = path;
        config.tokenizer = "bytes"; // tokens of which nothing is kept
        StepNames seen;
        QCOMPARE(Corpus::open(config, nullptr, seen, {})->fingerprint(), fingerprint);
        QVERIFY(seen.seen.contains("reading text"));
    }

    void worksWithoutACache()
    {
        const auto path = write("uncached.txt", numberedLines(300));
        const auto kept = open(path);
        qputenv("XDG_CACHE_HOME", "/dev/null/nowhere");
        QVERIFY(cacheFolder().empty());
        const auto corpus = open(path);
        QVERIFY(corpus->tokenizer()->fingerprint() == kept->tokenizer()->fingerprint());
        QVERIFY(corpus->batches(2, 40, 5)->next() == kept->batches(2, 40, 5)->next());
        QVERIFY(corpus->split("test").tokens == kept->split("test").tokens);
    }

    /// A cache without room is given it back, and the corpus opens from temporary files.
    void aFullCacheIsLeftClean()
    {
        const auto path = write("full.txt", numberedLines(310));
        faultHook = [](const char* operation, const fs::path& file) {
            const bool cached = file.string().find("pha-studio/corpus-") != std::string::npos;
            return std::string_view(operation) == "write" && cached ? ENOSPC : 0;
        };
        const auto before = entries(cacheFolder());
        const auto corpus = open(path);
        const auto added = entries(cacheFolder()) - before;
        faultHook = nullptr;
        QVERIFY(corpus->split("valid").tokens.size() > 100);
        QCOMPARE(added, std::ptrdiff_t(2)); // the survey and the tokenizer, for which there was room
    }

    /// Too many open files are no fault of the text: it must not be called unusable, nor work on it be thrown away.
    void theMachinesFaultsAreNotTheTexts()
    {
        const auto path = write("text-at-fault.txt", numberedLines(320));
        static int number = 0;
        faultHook = [](const char* operation, const fs::path& file) {
            return std::string_view(operation) == "open" && file.filename() == "text-at-fault.txt" ? number : 0;
        };
        number = EMFILE;
        QVERIFY_THROWS_EXCEPTION(IoError, open(path));
        number = EACCES;
        QVERIFY_THROWS_EXCEPTION(DataError, open(path));
        faultHook = nullptr;
        QVERIFY(open(path));
    }

    void opensOnlyUntilStopped()
    {
        std::stop_source stop;
        stop.request_stop();
        DataConfig config;
        QVERIFY_THROWS_EXCEPTION(Error, Corpus::open(config, nullptr, sink_, stop.get_token()));
        config.data = write("stopped.txt", numberedLines(300));
        QVERIFY_THROWS_EXCEPTION(Error, Corpus::open(config, nullptr, sink_, stop.get_token()));
        config.vocabSize = 100;
        QVERIFY_THROWS_EXCEPTION(DataError, Corpus::open(config, nullptr, sink_, {}));
    }

    // Reference lines -----------------------------------------------------------------------------------------------
    void countedReferences()
    {
        std::vector<std::int32_t> alternating, random;
        Random draw(4);
        for (int i = 0; i < 20000; ++i) {
            alternating.push_back(i % 2);
            random.push_back(std::int32_t(draw.below(8)));
        }
        const auto a = countReferences(alternating, { alternating.data(), 1000 }, 2);
        QVERIFY(std::abs(a.unigram - std::log(2)) < 1e-6 && a.bigram < 0.001);
        const auto b = countReferences(random, { random.data(), 10000 }, 8);
        QVERIFY(std::abs(b.unigram - std::log(8)) < 0.01 && std::abs(b.bigram - std::log(8)) < 0.02);
        // Add-one counts by hand: of 0 0 0 1, three kinds of token.
        const std::vector<std::int32_t> train { 0, 0, 0, 1 }, valid { 2, 0, 1, 2 };
        const auto c = countReferences(train, valid, 3);
        QVERIFY(std::abs(c.unigram + (std::log(4 / 7.) + std::log(2 / 7.) + std::log(1 / 7.)) / 3) < 1e-12);
        QVERIFY(std::isfinite(c.bigram) && c.uniform == std::log(3.0));
    }

    void builtins()
    {
        QVERIFY(!builtinCorpora().empty());
        QCOMPARE(builtinCorpora()[0].name, std::string("stories"));
    }

private:
    std::unique_ptr<Corpus> open(const std::string& data)
    {
        DataConfig config;
        config.data = data;
        if (data != "stories") config.vocabSize = 600;
        return Corpus::open(config, nullptr, sink_, {});
    }

    std::string write(const char* name, const std::string& content)
    {
        const auto path = home_.filePath(name).toStdString();
        std::ofstream(path, std::ios::binary) << content;
        return path;
    }

    /// Words and bytes at every token, counted anew on the text so far.
    static void checkCounts(const Corpus& corpus, const Split& split)
    {
        QCOMPARE(split.words.size(), split.tokens.size());
        QCOMPARE(split.bytes.size(), split.tokens.size());
        const auto text = decode(corpus, split.tokens);
        QCOMPARE(std::int64_t(split.bytes.back()), std::int64_t(text.size()));
        QCOMPARE(std::int64_t(split.words.back()), countWords(text));
        QVERIFY(std::is_sorted(split.words.begin(), split.words.end()));
        for (std::size_t i = 0; i < split.tokens.size(); i += 1 + split.tokens.size() / 40) {
            const auto begun = decode(corpus, { split.tokens.begin(), split.tokens.begin() + std::ptrdiff_t(i) + 1 });
            QCOMPARE(std::int64_t(split.bytes[i]), std::int64_t(begun.size()));
            // A word counts once its last byte is there, and that is known by the blank behind it.
            const bool open = begun.size() < text.size()
                && !std::isspace(static_cast<unsigned char>(text[begun.size()]))
                && !std::isspace(static_cast<unsigned char>(begun.back()));
            QCOMPARE(std::int64_t(split.words[i]), countWords(begun) - open);
        }
    }

    static void checkExactRestore(const Corpus& corpus, std::int64_t rows, std::int64_t context)
    {
        const auto whole = corpus.batches(rows, context, 7);
        std::vector<Batch> batches;
        std::vector<Json> states;
        for (int i = 0; i < 80; ++i) {
            states.push_back(Json::parse(whole->state().dump()));
            batches.push_back(whole->next());
        }
        QVERIFY(states.back().dump().size() < 2000);
        for (const std::size_t at : { 0u, 1u, 2u, 13u, 40u, 77u }) {
            const auto other = corpus.batches(rows, context, 7);
            if (at % 2) other->next(); // restoring replaces whatever there was
            other->restore(states[at]);
            QCOMPARE(other->state().dump(), states[at].dump());
            for (std::size_t i = at; i < batches.size(); ++i) {
                QVERIFY2(other->next() == batches[i], qPrintable(QString("batch %1 after %2").arg(i).arg(at)));
                if (i + 1 < states.size()) QCOMPARE(other->state().dump(), states[i + 1].dump());
            }
        }
    }

    static void checkDamagedStates(const Corpus& corpus)
    {
        const auto source = corpus.batches(2, 20, 7);
        source->next();
        const auto good = source->state();
        const auto next = source->next();
        const auto refuse = [&](const Json& state) {
            QVERIFY_THROWS_EXCEPTION(CheckpointError, source->restore(state));
        };
        refuse(Json());
        refuse(Json::array({ 1, 2 }));
        refuse(Json::object());
        for (const auto& [key, value] : good.items()) {
            auto damaged = good;
            damaged.erase(key);
            refuse(damaged);
            for (const Json& wrong : { Json("x"), Json(-1), Json(1.5), Json(1e300), Json(nullptr),
                     Json::array({ -1, 0 }), Json::array({ 0 }), Json::array({ 1, 0 }), Json::array({ 0, "x" }),
                     Json::array({ 1e30, 1 }), Json(~std::uint64_t(0)) }) {
                damaged[key] = wrong;
                // A story and an offset that exist are a position, if not this one.
                if (wrong == Json::array({ 1, 0 }) && key == "offsets") continue;
                refuse(damaged);
            }
        }
        QVERIFY_THROWS_EXCEPTION(CheckpointError, corpus.batches(2, 20, 8)->restore(good));
        QVERIFY_THROWS_EXCEPTION(CheckpointError, corpus.batches(2, 21, 7)->restore(good));
        QVERIFY_THROWS_EXCEPTION(CheckpointError, corpus.batches(3, 20, 7)->restore(good));
        source->restore(good); // still usable
        QVERIFY(source->next() == next);
    }

    QTemporaryDir home_;
    StepNames sink_;
    std::unique_ptr<Corpus> stories_;
};

PHA_TEST(CorpusTest)
#include "corpus_test.moc"
