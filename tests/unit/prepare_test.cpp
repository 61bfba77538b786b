// SPDX-License-Identifier: GPL-3.0-or-later
// Prepared corpora: any number of threads and any interruption give the same files; no document is in two splits.
#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/data/child_process.h"
#include "engine/data/corpus.h"
#include "engine/data/documents.h"
#include "engine/data/key_set.h"
#include "engine/data/prepare.h"
#include "engine/data/token_corpus.h"
#include "tests/suite.h"
#include "tests/unit/parquet_file.h"

#include <QTemporaryDir>
#include <QTest>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace pha;
namespace fs = std::filesystem;

namespace {

/// Asks for a stop after so many reports of one kind.
class Stopper : public EventSink {
public:
    Stopper(std::string what, int after)
        : what_(std::move(what))
        , after_(after)
    {
    }
    void publish(const Event& event) override
    {
        const auto* progress = std::get_if<ProgressEvent>(&event);
        if (progress && progress->what == what_ && ++seen == after_) source.request_stop();
    }
    int seen = 0;
    std::stop_source source;

private:
    std::string what_;
    int after_;
};

std::string record(int i)
{
    std::string text = "Document " + std::to_string(i) + " has";
    for (int k = 0; k < 40; ++k) text += " word" + std::to_string((i * 31 + k * 17) % 500);
    return text + ".";
}

/// The line of a JSON-lines file that holds the text.
std::string jsonLine(const std::string& text) { return Json { { "text", text } }.dump() + "\n"; }

} // namespace

class PrepareTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QVERIFY(home_.isValid());
        qputenv("XDG_CACHE_HOME", home_.filePath("cache").toUtf8());
        std::string text;
        std::vector<std::string> rows;
        for (int i = 0; i < 12'000; ++i) {
            rows.push_back(record(i % 10'000));
            text += jsonLine(rows.back());
        }
        write("docs.jsonl", text);
        write("docs.parquet", ParquetFile::of(rows));
        request_.sources = { path("docs.jsonl") };
        request_.config.vocabSize = 600;
        request_.threads = 2;
        request_.out = path("whole");
        whole_ = prepareCorpus(request_, silent_, {});
    }

    void countsAndRepairs()
    {
        QCOMPARE(whole_.documents(), 10'000);
        QCOMPARE(whole_.repairs.duplicates, 2000);
        QVERIFY(whole_.splits[1].documents > 300 && whole_.splits[2].documents > 300);
        QCOMPARE(readCorpusCard(path("whole")).toJson().dump(), whole_.toJson().dump());
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(path("whole"))) names.insert(entry.path().filename().string());
        QCOMPARE(names,
            (std::set<std::string> { "corpus.json", "sample.bin", "sample.documents", "test.bin", "test.documents",
                "tokenizer.model", "train.bin", "valid.bin", "valid.documents" }));
    }

    void noDocumentIsInTwoSplits()
    {
        const auto corpus = open("whole");
        std::set<std::string> seen;
        std::size_t found = 0;
        for (const char* name : { "valid", "test" }) {
            const auto& split = corpus->split(name);
            std::istringstream text(corpus->tokenizer()->decode(split.tokens));
            for (std::string line; std::getline(text, line);)
                if (!line.empty()) {
                    QVERIFY(seen.insert(line).second);
                    ++found;
                }
        }
        QCOMPARE(std::int64_t(found), whole_.splits[1].documents + whole_.splits[2].documents);
        // The training text, all windows of an epoch: none of them holds such a line.
        const auto train = TokenFile::open(path("whole/train.bin"), { whole_.fingerprint, whole_.tokenizer }, true);
        std::vector<std::int32_t> tokens(std::size_t(train->size()), 0);
        train->copy(0, std::span(tokens));
        std::istringstream text(corpus->tokenizer()->decode(tokens));
        for (std::string line; std::getline(text, line);)
            if (!line.empty()) {
                QVERIFY(seen.insert(line).second);
                ++found;
            }
        QCOMPARE(found, std::size_t(10'000));
    }

    void threadsDoNotMatter()
    {
        for (const int threads : { 1, 5 }) {
            auto request = request_;
            request.threads = threads;
            request.out = path("threads" + std::to_string(threads));
            prepareCorpus(request, silent_, {});
            same(request.out);
        }
    }

    void stoppedAndContinued_data() { sources(); }
    void stoppedAndContinued()
    {
        QFETCH(QString, source);
        auto request = request_;
        request.sources = { path(source.toStdString()) };
        const auto out = "stopped-" + source.toStdString();
        request.out = path(out);
        int stops = 0;
        for (const auto& [what, after] : { std::pair("reading text", 2), std::pair("encoding text", 1),
                 std::pair("encoding text", 3), std::pair("encoding text", 2) }) {
            Stopper stopper(what, after);
            try {
                prepareCorpus(request, stopper, stopper.source.get_token());
            } catch (const Error& error) {
                QVERIFY(QString(error.what()).contains("stopped"));
                ++stops;
                QVERIFY(!fs::exists(request.out));
                QVERIFY(fs::exists(path(out + ".partial")));
            }
        }
        QVERIFY2(stops >= 3, qPrintable(QString::number(stops)));
        Stopper counter("reading text", -1);
        prepareCorpus(request, counter, {});
        QCOMPARE(counter.seen, 0); // what was surveyed is not surveyed again
        QVERIFY(!fs::exists(path(out + ".partial")));
        same(request.out);
    }

    /// A sixth of the documents were there before: the bar ends where the text does, also after a stop.
    void progressCountsDuplicates()
    {
        class Bar : public Stopper {
        public:
            using Stopper::Stopper;
            void publish(const Event& event) override
            {
                Stopper::publish(event);
                const auto* progress = std::get_if<ProgressEvent>(&event);
                if (!progress || progress->what != "encoding text") return;
                if (seen == 1) first = progress->done;
                done = progress->done;
                total = progress->total;
            }
            double first = 0, done = 0, total = 0;
        };
        auto request = request_;
        request.tokenizer = open("whole")->tokenizer();
        request.threads = 1;
        request.out = path("bar");
        Bar whole("encoding text", -1);
        prepareCorpus(request, whole, {});
        QVERIFY(whole.seen > 2);
        QCOMPARE(whole.done, whole.total);

        // Stopped among the duplicates, with nothing but those left.
        request.out = path("bar-stopped");
        Bar stopped("encoding text", whole.seen - 1);
        QVERIFY_THROWS_EXCEPTION(Error, prepareCorpus(request, stopped, stopped.source.get_token()));
        QVERIFY(stopped.done < stopped.total);
        QVERIFY(stopped.done > double(whole_.bytes()));
        Bar rest("encoding text", -1);
        prepareCorpus(request, rest, {});
        QVERIFY(rest.first > stopped.done);
        QCOMPARE(rest.done, whole.total);
        same(request.out);
    }

    /// When all is encoded its files are read once more, which takes minutes where they are large.
    void stoppedWhileFilesAreChecked_data() { sources(); }
    void stoppedWhileFilesAreChecked()
    {
        QFETCH(QString, source);
        auto request = request_;
        request.sources = { path(source.toStdString()) };
        request.tokenizer = open("whole")->tokenizer();
        const auto out = "unchecked-" + source.toStdString();
        request.out = path(out);
        for (const int after : { 1, 2, 6 }) {
            Stopper stopper("checking the token files", after);
            const auto message = [&] {
                try {
                    prepareCorpus(request, stopper, stopper.source.get_token());
                } catch (const Error& error) {
                    return std::string(error.what());
                }
                return std::string();
            }();
            QVERIFY2(message.find("was stopped") != std::string::npos, message.c_str());
            QVERIFY2(message.find("goes on from here") != std::string::npos, message.c_str());
            QCOMPARE(stopper.seen, after);
            QVERIFY(!fs::exists(request.out) && fs::exists(path(out + ".partial")));
        }
        Stopper counter("encoding text", -1);
        prepareCorpus(request, counter, {});
        QCOMPARE(counter.seen, 0);
        same(request.out);
    }

    /// Of a version that did not count duplicates.
    void anOlderJournalGoesOn()
    {
        auto request = request_;
        request.tokenizer = open("whole")->tokenizer();
        request.out = path("older");
        Stopper stopper("encoding text", 3);
        QVERIFY_THROWS_EXCEPTION(Error, prepareCorpus(request, stopper, stopper.source.get_token()));
        auto journal = Json::parse(readFile(path("older.partial/work.json")));
        QCOMPARE(journal.at("state").erase("taken"), std::size_t(1));
        write("older.partial/work.json", journal.dump());
        Stopper counter("reading text", -1);
        prepareCorpus(request, counter, {});
        QCOMPARE(counter.seen, 0);
        same(request.out);
    }

    void stoppedWhileTheTokenizerTrains()
    {
        auto request = request_;
        request.config.vocabSize = 500; // no tokenizer of this size is kept
        request.out = path("untrained");
        Stopper stopper("training the tokenizer", 1);
        QVERIFY_THROWS_EXCEPTION(Error, prepareCorpus(request, stopper, stopper.source.get_token()));
        QCOMPARE(stopper.seen, 1);
        Stopper counter("reading text", -1);
        prepareCorpus(request, counter, {});
        QCOMPARE(counter.seen, 0);
        QVERIFY(!fs::exists(path("untrained/sample.txt")));
        request.out = path("trained");
        qputenv("XDG_CACHE_HOME", home_.filePath("another cache").toUtf8()); // it learns from the whole text itself
        prepareCorpus(request, silent_, {});
        qputenv("XDG_CACHE_HOME", home_.filePath("cache").toUtf8());
        for (const char* name : { "train.bin", "valid.bin", "test.bin", "sample.bin", "tokenizer.model" })
            QVERIFY2(readFile(path("untrained") / fs::path(name)) == readFile(path("trained") / fs::path(name)), name);
    }

    /// Killed without any warning, after the journal was written and before.
    void killedAndContinued_data() { sources(); }
    void killedAndContinued()
    {
        QFETCH(QString, source);
        auto request = request_;
        request.sources = { path(source.toStdString()) };
        request.out = path("killed-" + source.toStdString());
        request.tokenizer = open("whole")->tokenizer();
        request.threads = 1;
        if (!canForkWithThreads) QSKIP("the sanitizer forbids it");
        // In the journal at the third report; what comes after it has to be done again.
        Stopper stopper("encoding text", 3);
        QVERIFY_THROWS_EXCEPTION(Error, prepareCorpus(request, stopper, stopper.source.get_token()));
        for (const int after : { 1, 2, 4 }) {
            const auto child = fork();
            if (child == 0) {
                class Killer : public Stopper {
                public:
                    using Stopper::Stopper;
                    void publish(const Event& event) override
                    {
                        Stopper::publish(event);
                        if (source.stop_requested()) ::raise(SIGKILL);
                    }
                } killer("encoding text", after);
                try {
                    prepareCorpus(request, killer, {});
                } catch (...) {
                }
                ::_exit(0);
            }
            int status = 0;
            QCOMPARE(::waitpid(child, &status, 0), child);
            QVERIFY(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        }
        prepareCorpus(request, silent_, {});
        same(request.out);
    }

    void anotherRequestStartsAnew()
    {
        auto request = request_;
        request.out = path("other");
        Stopper stopper("encoding text", 2);
        QVERIFY_THROWS_EXCEPTION(Error, prepareCorpus(request, stopper, stopper.source.get_token()));
        request.shares = { 0.2, 0.1 };
        const auto card = prepareCorpus(request, silent_, {});
        QVERIFY(std::abs(double(card.splits[1].bytes) / double(card.bytes()) - 0.2) < 0.01);
        QVERIFY(card.fingerprint != whole_.fingerprint);
    }

    /// The file of a tokenizer may hold another one when the work goes on.
    void anotherTokenizerStartsAnew()
    {
        fs::copy(path("whole/tokenizer.model"), path("changing.model"));
        auto request = request_;
        request.out = path("changed");
        request.config.tokenizer = path("changing.model");
        Stopper stopper("encoding text", 3);
        QVERIFY_THROWS_EXCEPTION(Error, prepareCorpus(request, stopper, stopper.source.get_token()));
        QVERIFY(fs::exists(path("changed.partial")));
        const auto other = Tokenizer::train(readFile(path("docs.jsonl")).substr(0, 200'000), 320, silent_, {});
        write("changing.model", other->model());
        prepareCorpus(request, silent_, {});
        auto fresh = request;
        fresh.out = path("unchanged");
        prepareCorpus(fresh, silent_, {});
        for (const char* name : { "train.bin", "valid.bin", "test.bin", "sample.bin", "tokenizer.model" })
            QVERIFY2(readFile(path("changed") / fs::path(name)) == readFile(path("unchanged") / fs::path(name)), name);
        QCOMPARE(readCorpusCard(path("changed")).tokenizer, other->fingerprint());
    }

    void whatIsThereIsNotReplaced()
    {
        auto request = request_;
        QVERIFY_THROWS_EXCEPTION(DataError, prepareCorpus(request, silent_, {}));
        request.out = path("docs.jsonl");
        QVERIFY_THROWS_EXCEPTION(DataError, prepareCorpus(request, silent_, {}));
        QVERIFY(fs::is_regular_file(path("docs.jsonl")));
        fs::create_directory(path("empty"));
        request.out = path("empty/"); // an empty folder may be filled
        prepareCorpus(request, silent_, {});
        same(path("empty"));
    }

    /// Names of files are bytes.
    void namesThatAreNoUtf8()
    {
        const auto name = home_.path().toStdString() + "/d\xE9j\xE0.jsonl"; // not by way of a QString
        fs::copy(path("docs.jsonl"), name);
        auto request = request_;
        request.sources = { name };
        request.out = path("latin-1");
        Stopper stopper("encoding text", 2);
        try {
            prepareCorpus(request, stopper, stopper.source.get_token());
            QFAIL("was not stopped");
        } catch (const Error& error) {
            QVERIFY2(QString(error.what()).contains("stopped"), error.what());
        }
        Stopper counter("reading text", -1);
        prepareCorpus(request, counter, {});
        fs::remove(name); // Qt could not
        QCOMPARE(counter.seen, 0); // it goes on
        same(request.out);
    }

    void theFolderHasManyNames()
    {
        auto request = request_;
        request.tokenizer = open("whole")->tokenizer();
        request.out = path("dotted/.");
        QCOMPARE(prepareCorpus(request, silent_, {}).name, std::string("dotted"));
        same(path("dotted"));
        fs::create_directory(path("target"));
        fs::create_directory_symlink(path("target"), path("link"));
        request.out = path("link");
        prepareCorpus(request, silent_, {});
        same(path("target"));
        fs::create_directory(path("working"));
        const auto before = fs::current_path();
        fs::current_path(path("working"));
        std::string said;
        for (const char* name : { ".", "./", "../working", "" }) {
            request.out = name;
            Stopper counter("reading text", -1);
            try {
                prepareCorpus(request, counter, {});
            } catch (const DataError& error) {
                said += std::string(error.problem()) + "\n";
            }
            if (counter.seen > 0) said += "was read\n";
        }
        fs::current_path(before);
        QCOMPARE(said,
            std::string(".: is the working folder\n./: is the working folder\n../working: is the working folder\n"
                        "--out: no folder was named\n"));
    }

    void onlyOneAtATime()
    {
        auto request = request_;
        request.out = path("locked");
        class Second : public EventSink {
        public:
            explicit Second(PrepareRequest request)
                : request_(std::move(request))
            {
            }
            void publish(const Event&) override
            {
                if (refused) return;
                SilentSink none;
                try {
                    prepareCorpus(request_, none, {});
                } catch (const DataError& error) {
                    refused = std::string(error.what()).find("another process") != std::string::npos;
                }
            }
            bool refused = false;

        private:
            PrepareRequest request_;
        } second(request);
        prepareCorpus(request, second, {});
        QVERIFY(second.refused);
        same(request.out);
    }

    /// A disk or a server that fails for a moment costs no work: the same request goes on.
    void aPassingReadErrorKeepsTheWork()
    {
        const int memory = ::open("/proc/self/mem", O_RDONLY); // a regular file, nothing of which stands at 0
        char byte = 0;
        const bool fails = memory >= 0 && ::pread(memory, &byte, 1, 0) < 0 && errno == EIO;
        if (memory >= 0) ::close(memory);
        if (!fails) QSKIP("this system has no file that cannot be read");
        const fs::path folder = path("unsteady"), file = folder / "b.jsonl", aside = folder / "b.aside";
        fs::create_directories(folder);
        fs::copy(path("docs.jsonl"), folder / "a.jsonl");
        std::string text;
        for (int i = 0; i < 300; ++i) text += jsonLine(record(20'000 + i));
        write("unsteady/b.jsonl", text);
        class Breaker : public EventSink {
        public:
            Breaker(fs::path file, fs::path aside)
                : file_(std::move(file))
                , aside_(std::move(aside))
            {
            }
            void publish(const Event& event) override
            {
                const auto* progress = std::get_if<ProgressEvent>(&event);
                if (!progress || progress->what != "encoding text" || fs::exists(aside_)) return;
                fs::rename(file_, aside_);
                fs::create_symlink("/proc/self/mem", file_);
            }

        private:
            fs::path file_, aside_;
        } breaker(file, aside);
        auto request = request_;
        request.sources = { folder };
        request.tokenizer = open("whole")->tokenizer();
        request.threads = 1;
        request.out = path("steady");
        QVERIFY_THROWS_EXCEPTION(IoError, prepareCorpus(request, breaker, {}));
        QVERIFY(fs::exists(aside));
        fs::remove(file);
        fs::rename(aside, file);
        QVERIFY(readFile(path("steady.partial/work.json")).find("\"state\"") != std::string::npos);
        Stopper counter("reading text", -1);
        prepareCorpus(request, counter, {});
        QCOMPARE(counter.seen, 0);
        request.out = path("steady-anew");
        prepareCorpus(request, silent_, {});
        for (const char* name : { "train.bin", "valid.bin", "test.bin", "sample.bin" })
            QVERIFY2(readFile(path("steady") / fs::path(name)) == readFile(request.out / name), name);
    }

    void openingAsksForItsTokenizer()
    {
        DataConfig config;
        config.data = path("whole");
        const std::shared_ptr<const Tokenizer> foreign =
            Tokenizer::train(readFile(path("docs.jsonl")).substr(0, 200'000), 320, silent_, {});
        try {
            Corpus::open(config, foreign, silent_, {});
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY(QString(error.what()).contains("another tokenizer"));
        }
        for (const char* other : { "bpe", "bytes" }) { // not what its tokens are made of
            config.tokenizer = other;
            QVERIFY_THROWS_EXCEPTION(ConfigError, Corpus::open(config, nullptr, silent_, {}));
            QVERIFY_THROWS_EXCEPTION(ConfigError, Corpus::knownTokenizer(config));
        }
        config.tokenizer = "unigram";
        QCOMPARE(Corpus::open(config, nullptr, silent_, {})->fingerprint(), whole_.fingerprint);
        QCOMPARE(open("whole")->fingerprint(), whole_.fingerprint);
        QVERIFY(
            open("whole")->batches(2, 30, 1)->next().ids == open("stopped-docs.jsonl")->batches(2, 30, 1)->next().ids);
    }

    void givenFilesKeepTheirDocuments()
    {
        fs::create_directories(path("given"));
        std::string train, valid;
        for (int i = 0; i < 300; ++i) train += jsonLine(record(i));
        for (int i = 290; i < 310; ++i) valid += jsonLine(record(i));
        write("given/x.train.jsonl", train);
        write("given/x.val.jsonl", valid);
        PrepareRequest request;
        request.sources = { path("given") };
        request.out = path("given-out");
        request.tokenizer = open("whole")->tokenizer();
        const auto card = prepareCorpus(request, silent_, {});
        QCOMPARE(card.splits[1].documents, 20);
        QCOMPARE(card.repairs.duplicates, 10); // those of train that validate
        QVERIFY(card.splits[2].documents >= 10);
    }

    void tokensOfOtherPrograms()
    {
        const auto tokenizer = open("whole")->tokenizer();
        const auto ids = tokenizer->encode(record(1) + "\n" + record(2) + "\n" + record(3) + "\n");
        const std::vector<std::uint16_t> narrow(ids.begin(), ids.end());
        const std::string bytes(reinterpret_cast<const char*>(narrow.data()), narrow.size() * 2);
        fs::create_directories(path("bins"));
        write("bins/train.bin", bytes);
        write("bins/val.bin", bytes);
        std::vector<std::int32_t> header(256);
        header[0] = 20240520, header[1] = 1, header[2] = std::int32_t(ids.size());
        write("bins/tiny_train.bin", std::string(reinterpret_cast<const char*>(header.data()), 1024) + bytes);
        fs::copy(path("bins/tiny_train.bin"), path("bins/tiny_val.bin"));
        DataConfig config;
        for (const char* name : { "bins/train.bin", "bins/val.bin", "bins/tiny_train.bin" }) {
            config.data = path(name);
            const auto corpus = Corpus::open(config, tokenizer, silent_, {});
            const auto& split = corpus->split("train");
            QVERIFY(split.tokens == ids);
            QCOMPARE(split.bytes.back(), std::int32_t(tokenizer->decode(ids).size()));
            QCOMPARE(split.words.back(), 3 * (3 + 40 + 1));
            const auto batch = corpus->batches(1, std::int64_t(ids.size()) - 1, 1)->next();
            QVERIFY(std::equal(ids.begin(), ids.end() - 1, batch.ids.begin()));
        }
        header[2] *= 2;
        write("bins/cut_train.bin", std::string(reinterpret_cast<const char*>(header.data()), 1024) + bytes);
        write("bins/odd.bin", "abc");
        write("bins/wrong.bin", std::string("\xFF\xFF\x01\0\x02\0", 6));
        for (const char* name : { "bins/cut_train.bin", "bins/odd.bin", "bins/wrong.bin" }) {
            config.data = path(name);
            QVERIFY_THROWS_EXCEPTION(DataError, Corpus::open(config, tokenizer, silent_, {}));
        }
    }

    /// A file without a tokenizer: its numbers are all that is known.
    void tokensOfUnknownText()
    {
        std::vector<std::uint16_t> narrow;
        for (int i = 0; i < 4000; ++i) narrow.push_back(std::uint16_t(i * 7 % 90));
        const std::string bytes(reinterpret_cast<const char*>(narrow.data()), narrow.size() * 2);
        fs::create_directories(path("numbers"));
        write("numbers/train.bin", bytes);
        DataConfig config;
        config.data = path("numbers"); // nanoGPT's folder
        config.vocabSize = 90;
        const auto corpus = Corpus::open(config, nullptr, silent_, {});
        const auto& tokenizer = *corpus->tokenizer();
        QVERIFY(tokenizer.kind() == Tokenizer::Kind::Ids);
        QCOMPARE(tokenizer.size(), std::int64_t(90));
        QVERIFY(tokenizer.encode(" 17 4 89 90 x") == (std::vector<std::int32_t> { 17, 4, 89, 0, 0 }));
        QCOMPARE(tokenizer.decode({ 17, 4 }), std::string("17 4"));
        const auto& valid = corpus->split("valid"); // no file of its own: the end of the training file
        QCOMPARE(valid.tokens.size(), std::size_t(200));
        QCOMPARE(valid.tokens.front(), std::int32_t(narrow[3800]));
        QCOMPARE(valid.words.back() + valid.bytes.back(), 0);
        const auto source = corpus->batches(4, 64, 1);
        for (int i = 0; i < 40; ++i)
            for (const auto id : source->next().targets) QVERIFY(id < 90);
        const std::shared_ptr<const Tokenizer> again = Tokenizer::fromModel(tokenizer.model(), "again");
        QCOMPARE(again->fingerprint(), tokenizer.fingerprint());
        QCOMPARE(Corpus::open(config, again, silent_, {})->fingerprint(), corpus->fingerprint());
        for (const char* model : { "pha-ids 1\n", "pha-ids 1\n90", "pha-ids 1\n1\n", "pha-ids 1\n99999999\n" })
            QVERIFY_THROWS_EXCEPTION(DataError, Tokenizer::fromModel(model, "model"));

        config.vocabSize = 80;
        try {
            Corpus::open(config, nullptr, silent_, {});
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY2(QString(error.what()).contains("vocab_size to 90"), error.what());
        }
        config.tokenizer = "bpe"; // it cannot be trained on numbers
        QVERIFY_THROWS_EXCEPTION(ConfigError, Corpus::open(config, nullptr, silent_, {}));
        config = {};
        for (const char* text : { "stories", "docs.jsonl" }) { // these numbers spell no text
            config.data = text[0] == 's' ? text : path(text);
            QVERIFY_THROWS_EXCEPTION(DataError, Corpus::open(config, again, silent_, {}));
        }
        config.data = path("whole/train.bin");
        QVERIFY_THROWS_EXCEPTION(DataError, Corpus::open(config, again, silent_, {}));
    }

    void cutTokenFilesEndNoProcess()
    {
        fs::copy(path("whole"), path("cut"));
        const auto corpus = open("cut");
        const auto source = corpus->batches(4, 64, 1);
        source->next();
        fs::resize_file(path("cut/train.bin"), 5000);
        QVERIFY_THROWS_EXCEPTION(DataError, source->next());
        QVERIFY_THROWS_EXCEPTION(DataError, open("cut"));
        fs::remove(path("cut/train.bin"));
        try {
            open("cut");
            QFAIL("accepted");
        } catch (const DataError& error) {
            QVERIFY2(QString(error.what()).contains("train.bin: is not there; prepare"), error.what());
        }
    }

    void keysAreRemembered()
    {
        const auto file = path("keys.bin");
        {
            KeySet keys(file, 0);
            for (std::uint64_t key = 2; key < 5002; ++key) QVERIFY(keys.insert(key * key));
            QVERIFY(!keys.insert(49));
            QCOMPARE(keys.sync(), 5000);
            QVERIFY(keys.insert(3)); // not on the disk yet
        }
        KeySet again(file, 5000);
        QVERIFY(!again.insert(49) && again.insert(3) && !again.insert(3));

        // Without a file nothing stays.
        fs::create_directories(path("keys"));
        KeySet own(path("keys"));
        for (std::uint64_t key = 2; key < 5002; ++key) QVERIFY(own.insert(key * key));
        QVERIFY(!own.insert(49) && own.insert(3) && !own.insert(3));
        QVERIFY(fs::is_empty(path("keys")));
    }

    /// Blank lines inside of records end no documents, and records of one line each are some.
    void recordsAreDocuments()
    {
        fs::create_directories(path("mixed"));
        std::string text, paragraphs;
        for (int i = 0; i < 1500; ++i) {
            const auto number = std::to_string(i % 1200); // some come again
            text +=
                jsonLine("Record " + number + (i % 3 > 0 ? " is one line." : "\n\nhas parts.\n\n" + record(i % 1200)));
            paragraphs += record(i) + "\n\n";
        }
        write("records.jsonl", text);
        write("mixed/records.jsonl", text);
        write("mixed/paragraphs.txt", paragraphs);
        auto request = request_;
        request.sources = { path("records.jsonl") };
        request.tokenizer = open("whole")->tokenizer();
        request.out = path("records");
        prepareCorpus(request, silent_, {});
        const auto opened = [&](const std::string& name) {
            DataConfig config;
            config.data = path(name);
            return Corpus::open(config, request.tokenizer, silent_, {});
        };
        const auto formOf = [](const Corpus& corpus, const char* name) {
            const auto& split = corpus.split(name);
            return readTextForm(split, std::int64_t(split.tokens.size()), *corpus.tokenizer());
        };
        for (const char* name : { "records.jsonl", "records" }) {
            const auto corpus = opened(name);
            QCOMPARE(corpus->card()->documents(), 1200);
            for (std::size_t i = 1; i < splitNames.size(); ++i) {
                const auto form = formOf(*corpus, splitNames[i]);
                QCOMPARE(std::int64_t(form.documents.size()), corpus->card()->splits[i].documents);
                const auto& tokens = corpus->split(splitNames[i]).tokens;
                for (const auto& document : form.documents) {
                    const auto length = std::min(std::ptrdiff_t(40), std::ptrdiff_t(tokens.size()) - document.begin);
                    const auto begin = tokens.begin() + document.begin;
                    const auto head = corpus->tokenizer()->decode({ begin, begin + length });
                    QVERIFY2(document.title.starts_with("Record "), document.title.c_str());
                    QVERIFY2(head.starts_with(document.title + "\n"), head.c_str());
                }
            }
            QVERIFY(formOf(*corpus, "train").documents.size() > 500);
        }
        // What an earlier version prepared is read as it was then.
        const auto known = formOf(*opened("records"), "valid").documents.size();
        fs::remove(path("records/valid.documents"));
        QVERIFY(formOf(*opened("records"), "valid").documents.size() > known);
        // Nothing is said of texts that are no records.
        QVERIFY(opened("mixed")->split("valid").documents.empty());
    }

    /// Published counts of WikiText: one word for each line end.
    void wikiTextWords()
    {
        const fs::path data = PHA_SOURCE_DIR "/../shared/data/wikitext";
        if (!fs::exists(data)) QSKIP("WikiText's validation and test texts are not on this machine");
        PrepareRequest request;
        request.sources = { data / "wiki.valid.raw" }; // the test split stands beside it
        request.out = path("wikitext");
        request.tokenizer = open("whole")->tokenizer();
        const auto card = prepareCorpus(request, silent_, {});
        QCOMPARE(card.splits[1].words, 217'646);
        QCOMPARE(card.splits[2].words, 245'569);
        QVERIFY(!card.repairs.any());
    }

private:
    std::string path(const std::string& name) const
    {
        return home_.filePath(QString::fromStdString(name)).toStdString();
    }
    void write(const std::string& name, const std::string& content) const
    {
        std::ofstream(path(name), std::ios::binary) << content;
    }
    std::unique_ptr<Corpus> open(const std::string& name)
    {
        DataConfig config;
        config.data = path(name);
        return Corpus::open(config, nullptr, silent_, {});
    }
    /// The same documents in two forms.
    static void sources()
    {
        QTest::addColumn<QString>("source");
        for (const char* name : { "docs.jsonl", "docs.parquet" }) QTest::newRow(name) << name;
    }
    void same(const fs::path& folder) const
    {
        for (const char* name : { "train.bin", "valid.bin", "test.bin", "sample.bin", "tokenizer.model",
                 "valid.documents", "test.documents", "sample.documents" })
            QVERIFY2(readFile(folder / name) == readFile(fs::path(path("whole")) / name), name);
    }

    QTemporaryDir home_;
    Stopper silent_ { "", -1 };
    PrepareRequest request_;
    CorpusCard whole_;
};

PHA_TEST(PrepareTest)
#include "prepare_test.moc"
