// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/prepare.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/controls/figure_tile.h"
#include "ui/data/corpus_list.h"
#include "ui/data/data_panel.h"
#include "ui/data/piece_editor.h"
#include "ui/look/theme.h"

#include <QDropEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableWidget>
#include <QTest>
#include <QUrl>

#include <atomic>
#include <fstream>
#include <thread>

using namespace pha;
using namespace pha::ui;

class DataPanelTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        Dialogs dialogs;
        std::unique_ptr<DataPanel> panel;

        explicit Fixture(Downloads::Fetch with = {})
            : fetch(std::move(with))
        {
            open();
        }
        /// One corpus with a checksum, one without; the fetch is decided by the test.
        std::vector<CatalogueEntry> entries { entry("known-raw", std::string(64, 'a')), entry("unknown-raw", "") };
        Downloads::Fetch fetch;

        static CatalogueEntry entry(const std::string& name, const std::string& sha256)
        {
            return { name, "Known, raw", "Articles about nothing.", "CC BY-SA 3.0", "https://example.org",
                name + ".txt", 1000, sha256, { "https://example.org/" + name + ".txt" } };
        }
        void open()
        {
            panel.reset();
            panel = std::make_unique<DataPanel>(&dialogs, nullptr, DataParts { entries, fetch });
            panel->resize(980, 680);
            panel->show();
        }
        /// Two hundred lines that a tokenizer can learn something from.
        fs::path text(const std::string& name = "story.txt") const
        {
            const auto file = home.path() / name;
            std::ofstream out(file);
            for (int i = 0; i < 200; ++i)
                out << "The harbour master number " << i << " gave the copper key to Tomas, who hid it under boat "
                    << i * 7 % 31 << ".\n";
            return file;
        }
        void drop(const fs::path& file) const
        {
            QMimeData data;
            data.setUrls({ QUrl::fromLocalFile(QString::fromStdString(file.string())) });
            QDragEnterEvent enter(QPoint(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
            QCoreApplication::sendEvent(panel.get(), &enter);
            QVERIFY(enter.isAccepted());
            QDropEvent event(QPointF(10, 10), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
            QCoreApplication::sendEvent(panel.get(), &event);
        }
        template <class T> T* find(const char* name) const { return panel->findChild<T*>(QLatin1String(name)); }
        QString message() const { return find<QLabel>("dataMessage")->text(); }
        QString role() const { return find<QLabel>("dataMessage")->property("role").toString(); }
        bool idle() const { return !find<QPushButton>("dataStop")->isEnabled(); }
        void trainSmall()
        {
            find<QSpinBox>("dataVocabulary")->setValue(512);
            QTRY_VERIFY(idle());
            find<QPushButton>("dataTrain")->click();
            QTRY_COMPARE(role(), "good");
        }
        QString row(const QString& begin) const
        {
            const auto found = find<QListWidget>("dataCorpora")->findItems(begin, Qt::MatchStartsWith);
            return found.isEmpty() ? QString() : found.front()->text();
        }
        PieceEditor* editor() const { return find<PieceEditor>("dataEditor"); }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void twoWindowsRememberTheirTextsTogether()
    {
        test::TestHome home;
        const auto kept = [] { return QSettings().value(QStringLiteral("data/texts")).toStringList(); };
        CorpusList here({}), there({});
        here.addText(QStringLiteral("/a.txt"));
        there.addText(QStringLiteral("/b.txt"));
        QCOMPARE(kept(), QStringList({ "/a.txt", "/b.txt" }));
        QVERIFY(here.choose(QStringLiteral("/a.txt")));
        here.removeChosen();
        QCOMPARE(kept(), QStringList({ "/b.txt" }));
    }

    void builtinCorporaAreThere()
    {
        Fixture f;
        auto* list = f.find<QListWidget>("dataCorpora");
        QVERIFY(list->count() >= 1);
        QCOMPARE(f.panel->selected(), "stories");
        QVERIFY(!f.find<QLabel>("dataAbout")->text().isEmpty());
        QVERIFY(f.editor()->placeholderText().contains("Train the tokenizer"));
    }

    void droppedFileIsReadAndCounted()
    {
        Fixture f;
        const auto file = f.text();
        f.drop(file);
        QCOMPARE(f.panel->selected(), QString::fromStdString(file.string()));
        QTRY_VERIFY(f.find<QPlainTextEdit>("dataBeginning")->toPlainText().startsWith("The harbour master number 0"));
        QTRY_COMPARE(f.find<QLabel>("dataAbout")->text(), "One file");
        const auto tiles = f.panel->findChildren<FigureTile*>();
        QVERIFY(std::any_of(
            tiles.begin(), tiles.end(), [](FigureTile* tile) { return tile->accessibleName().contains("200 lines"); }));
        f.open(); // another session remembers it
        QVERIFY(!f.find<QListWidget>("dataCorpora")->findItems("story.txt", Qt::MatchExactly).isEmpty());
    }

    void aTextThatIsDroppedAgainIsReadAgain()
    {
        Fixture f;
        const auto file = f.text(), other = f.text("other.txt");
        const auto counted = [&](const char* lines) {
            const auto tiles = f.panel->findChildren<FigureTile*>();
            return std::any_of(tiles.begin(), tiles.end(),
                [&](FigureTile* tile) { return tile->accessibleName().contains(QLatin1String(lines)); });
        };
        const auto grow = [&] {
            std::ofstream out(file, std::ios::app);
            for (int i = 0; i < 50; ++i) out << "One more line about the harbour.\n";
        };
        f.drop(file);
        QTRY_VERIFY(counted("200 lines"));
        grow();
        f.drop(file); // while it is shown
        QTRY_VERIFY(counted("250 lines"));
        f.drop(other);
        QTRY_VERIFY(counted("200 lines"));
        grow();
        f.drop(file);
        QTRY_VERIFY(counted("300 lines"));
    }

    void droppedTablesAreReadOrRefused()
    {
        Fixture f;
        const std::string folder = PHA_SOURCE_DIR "/tests/unit/parquet/";
        f.drop(folder + "many-plain.parquet");
        QTRY_VERIFY(f.find<QPlainTextEdit>("dataBeginning")->toPlainText().startsWith("The same."));
        f.drop(folder + "refused-other.parquet");
        QTRY_VERIFY(f.message().contains("has no column \"text\"; it has"));
        QCOMPARE(f.role(), "error");
    }

    void textsOfAnotherFieldAreRead()
    {
        Fixture f;
        f.panel->show();
        auto* field = f.find<QLineEdit>("dataField");
        const auto plain = f.text();
        f.drop(plain);
        QTRY_COMPARE(f.find<QLabel>("dataAbout")->text(), "One file");
        QVERIFY(!field->isVisible()); // it is all text
        const auto file = f.home.path() / "stories.jsonl";
        std::ofstream out(file);
        for (int i = 0; i < 300; ++i)
            out << "{\"title\": \"Number " << i << "\", \"story\": \"The master of harbour " << i
                << " hid the copper key under boat " << i * 7 % 31 << ".\"}\n";
        out.close();
        f.drop(file);
        QTRY_VERIFY2(f.message().contains("\"story\""), qPrintable(f.message()));
        QVERIFY(field->isVisible());
        QCOMPARE(field->text(), "text");
        field->setText("story");
        QTest::keyClick(field, Qt::Key_Return);
        QTRY_VERIFY(f.find<QPlainTextEdit>("dataBeginning")->toPlainText().startsWith("The master of harbour 0"));
        QVERIFY(field->isVisible());
        f.trainSmall();
        QTRY_VERIFY(!f.find<QLabel>("dataCutFigures")->text().isEmpty());
        QSignalSpy used(f.panel.get(), &DataPanel::useRequested);
        f.find<QPushButton>("dataUse")->click();
        QCOMPARE(used.value(0).value(2).toString(), "story");
        field->setText("title");
        QTest::keyClick(field, Qt::Key_Return);
        QTRY_VERIFY(f.find<QPlainTextEdit>("dataBeginning")->toPlainText().startsWith("Number 0"));
        QCOMPARE(f.find<QPushButton>("dataTrain")->text(), "&Train tokenizer"); // that of the other field is none of it
        field->clear(); // the usual one
        QTest::keyClick(field, Qt::Key_Return);
        QCOMPARE(field->text(), "text");
        QTRY_VERIFY2(f.message().contains("\"story\""), qPrintable(f.message()));
        QVERIFY(f.panel->choose(QString::fromStdString(plain.string())));
        QTRY_VERIFY(!field->isVisible());
        f.find<QPushButton>("dataUse")->click();
        QCOMPARE(used.value(1).value(2).toString(), "text");
    }

    void dropTrainUseAreThreeClicks()
    {
        Fixture f;
        const auto file = f.text();
        QSignalSpy used(f.panel.get(), &DataPanel::useRequested);
        f.drop(file);
        f.trainSmall();
        f.find<QPushButton>("dataUse")->click();
        QCOMPARE(used.size(), 1);
        QCOMPARE(used[0][0].toString(), QString::fromStdString(file.string()));
        QCOMPARE(used[0][1].toInt(), 512);
    }

    /// nanoGPT's folder: its tokens are what can be seen of it, and enough for a run.
    void aFolderOfTokensIsACorpus()
    {
        Fixture f;
        const auto folder = f.home.path() / "tokens";
        fs::create_directory(folder);
        std::ofstream out(folder / "train.bin", std::ios::binary);
        for (int i = 0; i < 4000; ++i) out << char(i * 7 % 250) << '\0';
        out.close();
        f.drop(folder);
        QTRY_VERIFY(f.find<QPlainTextEdit>("dataBeginning")->toPlainText().startsWith("0 7 14 21 "));
        f.trainSmall();
        QVERIFY2(f.editor()->toPlainText().contains(' '), "no pieces to look at");
    }

    void piecesFollowTyping()
    {
        Fixture f;
        f.drop(f.text());
        f.trainSmall();
        auto* editor = f.editor();
        editor->setPlainText("The harbour");
        QTRY_COMPARE(editor->pieces().text, "The harbour");
        QTest::keyClicks(editor, "X");
        QTRY_COMPARE(editor->pieces().text, editor->toPlainText());
        QByteArray all;
        for (const auto& piece : editor->pieces().pieces) all += piece.bytes;
        QCOMPARE(all, editor->toPlainText().toUtf8());
        QCOMPARE(f.find<QTableWidget>("dataPieces")->rowCount(), int(editor->pieces().pieces.size()));
        QCOMPARE(int(editor->bounds().size()), int(editor->pieces().pieces.size()) + 1);
        QCOMPARE(editor->bounds().back(), int(editor->toPlainText().size()));
        QVERIFY(f.find<QLabel>("dataCutFigures")->text().contains("bytes per token"));
        QVERIFY(!f.panel->grab().isNull());
    }

    void charactersThatAreCutInPartsKeepTheirPlace()
    {
        Fixture f;
        f.drop(f.text());
        f.trainSmall();
        const QString text = QString::fromUtf8("a\u00e9 \u6f22 \U0001F600 end");
        f.editor()->setPlainText(text);
        QTRY_COMPARE(f.editor()->pieces().text, text);
        const auto& bounds = f.editor()->bounds();
        QVERIFY(std::is_sorted(bounds.begin(), bounds.end()));
        QCOMPARE(bounds.back(), int(text.size()));
        QCOMPARE(f.editor()->pieceAt(int(text.size()) - 1), int(f.editor()->pieces().pieces.size()) - 1);
        QVERIFY(f.editor()->pieces().pieces.size() > text.size() / 2); // byte pieces are among them
    }

    void whatCannotBeReadIsAnErrorLine()
    {
        Fixture f;
        f.panel->add(f.home.path() / "nothing.txt");
        QTRY_COMPARE(f.role(), "error");
        QVERIFY(f.message().contains("nothing.txt"));
        QVERIFY(!f.message().contains('\n'));
    }

    void anotherVocabularyNeedsAnotherTokenizer()
    {
        Fixture f;
        f.drop(f.text());
        f.trainSmall();
        QVERIFY(f.find<QTableWidget>("dataPieces")->rowCount() >= 0);
        QTRY_VERIFY(!f.editor()->pieces().pieces.isEmpty());
        f.find<QSpinBox>("dataVocabulary")->setValue(600);
        QVERIFY(f.editor()->pieces().pieces.isEmpty());
        f.find<QSpinBox>("dataVocabulary")->setValue(512); // known: shown again at once
        QTRY_VERIFY(!f.editor()->pieces().pieces.isEmpty());
    }

    void nothingIsDownloadedWithoutAClick()
    {
        std::atomic<int> asked { 0 };
        Fixture f([&](const CatalogueEntry&, EventSink&, const std::stop_token&) -> DownloadResult {
            ++asked;
            throw Error("nothing", "here");
        });
        QVERIFY(f.panel->choose("known-raw"));
        QCOMPARE(f.panel->selected(), "known-raw");
        QVERIFY(f.find<QWidget>("downloadPage")->isVisible());
        QVERIFY(f.find<QLabel>("downloadSize")->text().contains("1,000 bytes"));
        QCOMPARE(f.find<QLabel>("downloadLicence")->text(), "CC BY-SA 3.0");
        QVERIFY(f.find<QLabel>("downloadChecksum")->text().contains("aaaa"));
        QCOMPARE(f.find<QLineEdit>("downloadAddress")->text(), "https://example.org/known-raw.txt");
        QVERIFY(f.find<QLineEdit>("downloadPlace")->text().endsWith("/known-raw/known-raw.txt"));
        QVERIFY(f.panel->choose("unknown-raw"));
        QVERIFY(f.find<QLabel>("downloadChecksum")->text().contains("unverified"));
        QTest::qWait(50);
        QCOMPARE(asked.load(), 0);
        f.find<QPushButton>("downloadStart")->click();
        QTRY_COMPARE(f.find<QLabel>("downloadMessage")->property("role").toString(), "error");
        QCOMPARE(f.find<QLabel>("downloadMessage")->text(), "nothing; here");
        QCOMPARE(asked.load(), 1);
        QVERIFY(f.find<QPushButton>("downloadStart")->isEnabled());
    }

    /// A download that reports, waits to be stopped or let through, and leaves what a real one would.
    void downloadsPauseResumeAndCancel()
    {
        std::atomic<bool> through { false };
        std::atomic<int> calls { 0 };
        Fixture f([&](const CatalogueEntry& e, EventSink& sink, const std::stop_token& stop) {
            ++calls;
            const auto file = catalogueFile(e);
            fs::create_directories(file.parent_path());
            std::ofstream(file.string() + ".part") << std::string(400, 'x');
            while (!through && !stop.stop_requested()) {
                sink.publish(ProgressEvent { "downloading", 400, 1000, "bytes" });
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
            if (stop.stop_requested()) throw Error("the download was stopped", "start it again");
            fs::remove(file.string() + ".part");
            std::ofstream(file) << std::string(1000, 'y');
            return DownloadResult { file, 1000, "", !e.sha256.empty(), false };
        });
        auto* start = f.find<QPushButton>("downloadStart");
        auto* pause = f.find<QPushButton>("downloadPause");
        auto* cancel = f.find<QPushButton>("downloadCancel");
        auto* message = f.find<QLabel>("downloadMessage");
        QVERIFY(f.panel->choose("unknown-raw"));
        QVERIFY(start->isEnabled() && !pause->isEnabled() && !cancel->isEnabled());
        QTest::keyClick(f.panel.get(), Qt::Key_Return, Qt::ControlModifier);
        QTRY_VERIFY2(message->text().contains("400 B of 1000 B"), qPrintable(message->text()));
        QCOMPARE(f.row("unknown-raw"), QString::fromUtf8("unknown-raw \u00b7 40 %"));
        QTRY_VERIFY(message->text().contains("/s"));
        QTest::keyClick(f.panel.get(), Qt::Key_Escape);
        QVERIFY(start->isEnabled() && !pause->isEnabled());
        QTRY_VERIFY(message->text().startsWith("Paused at 400 B"));
        QVERIFY(start->text().contains("Resume"));
        f.open(); // another session finds it
        start = f.find<QPushButton>("downloadStart"), pause = f.find<QPushButton>("downloadPause");
        cancel = f.find<QPushButton>("downloadCancel");
        QVERIFY(f.panel->choose("unknown-raw"));
        QVERIFY(start->text().contains("Resume"));
        cancel->click();
        QTRY_VERIFY(start->text().contains("Download"));
        QTRY_VERIFY(!fs::exists(catalogueFile(f.entries[1]).string() + ".part"));
        // The second waits for the first; both arrive.
        start->click();
        QTRY_VERIFY(pause->isEnabled());
        QVERIFY(f.panel->choose("known-raw"));
        start->click();
        QCOMPARE(f.row("known-raw"), QString::fromUtf8("known-raw \u00b7 waiting"));
        through = true;
        QTRY_VERIFY(!f.find<QWidget>("downloadPage")->isVisible()); // its text is shown instead
        QTRY_VERIFY2(f.find<QLabel>("dataAbout")->text().contains("SHA-256 verified"),
            qPrintable(f.find<QLabel>("dataAbout")->text()));
        QVERIFY(f.panel->choose("unknown-raw"));
        QTRY_VERIFY(f.find<QLabel>("dataAbout")->text().contains("unverified"));
        QCOMPARE(calls.load(), 3);
        QSignalSpy used(f.panel.get(), &DataPanel::useRequested);
        f.find<QPushButton>("dataUse")->click();
        QCOMPARE(used[0][0].toString(), "unknown-raw");
    }

    void aFilePlacedByHandIsFound()
    {
        Fixture f;
        QVERIFY(f.panel->choose("known-raw"));
        QVERIFY(f.find<QWidget>("downloadPage")->isVisible());
        const fs::path file = f.find<QLineEdit>("downloadPlace")->text().toStdString();
        fs::create_directories(file.parent_path());
        std::ofstream(file) << std::string(999, 'y') << '\n';
        QEvent back(QEvent::WindowActivate);
        QCoreApplication::sendEvent(f.panel.get(), &back);
        QVERIFY(!f.find<QWidget>("downloadPage")->isVisible());
        QTRY_VERIFY(f.find<QLabel>("dataAbout")->text().contains("not checked"));
        // Its SHA-256 is not that of the catalogue; the engine's own check says so.
        f.find<QPushButton>("dataCheck")->click();
        QTRY_COMPARE(f.role(), "error");
        QVERIFY(f.message().contains("is not the file of the catalogue"));
    }

    void preparedCorporaAreReadyForARun()
    {
        Fixture f;
        PrepareRequest request;
        request.sources = { f.text() };
        request.out = dataFolder() / "harbour";
        request.config.vocabSize = 512;
        fs::create_directories(dataFolder());
        SilentSink sink;
        const auto card = prepareCorpus(request, sink, {});
        f.open();
        QVERIFY(f.panel->choose("harbour"));
        QTRY_VERIFY2(f.message().contains("prepared with this tokenizer"), qPrintable(f.message()));
        QVERIFY(f.find<QLabel>("dataAbout")->text().contains("Prepared corpus"));
        QVERIFY(!f.find<QPushButton>("dataTrain")->isEnabled());
        QCOMPARE(f.find<QSpinBox>("dataVocabulary")->value(), int(card.pieces));
        QTRY_VERIFY(!f.editor()->pieces().pieces.isEmpty());
        QSignalSpy used(f.panel.get(), &DataPanel::useRequested);
        f.find<QPushButton>("dataUse")->click();
        QCOMPARE(used[0][0].toString(), "harbour");
        QVERIFY(f.panel->choose("stories")); // has the vocabulary that was wanted before
        QCOMPARE(f.find<QSpinBox>("dataVocabulary")->value(), int(DataConfig().vocabSize));
        f.drop(dataFolder() / "harbour"); // the folder itself is as good
        QTRY_VERIFY(f.message().contains("prepared with this tokenizer"));
    }

    void theRateIsThatOfTheLastSeconds()
    {
        RateMeter meter;
        QVERIFY(!meter.rate());
        meter.add(10, 5000); // what had arrived before does not count
        QVERIFY(!meter.rate());
        for (int i = 1; i <= 20; ++i) meter.add(10 + i, 5000 + 100 * i);
        QCOMPARE(*meter.rate(), 100.0);
        for (int i = 1; i <= 10; ++i) meter.add(30 + i, 7000 + 500 * i);
        QCOMPARE(*meter.rate(), 500.0);
        meter.add(41, 0); // it began anew
        QVERIFY(!meter.rate());
    }

    void stoppingAndClosingInTheMiddleAreSafe()
    {
        Fixture f;
        QVERIFY(f.panel->choose("stories")); // seconds of work
        f.find<QPushButton>("dataTrain")->click();
        QVERIFY(!f.idle());
        QTest::keyClick(f.panel.get(), Qt::Key_Escape);
        QVERIFY(f.idle());
        QCOMPARE(f.message(), "Stopped.");
        f.find<QPushButton>("dataTrain")->click();
        f.panel.reset();

        Fixture g([](const CatalogueEntry&, EventSink&, const std::stop_token& stop) -> DownloadResult {
            while (!stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
            throw Error("the download was stopped", "start it again");
        });
        QVERIFY(g.panel->choose("known-raw"));
        g.find<QPushButton>("downloadStart")->click();
        QTRY_COMPARE(g.row("known-raw"), QString::fromUtf8("known-raw \u00b7 0 %"));
        g.panel.reset();
    }
};

PHA_TEST(DataPanelTest)
#include "data_panel_test.moc"
