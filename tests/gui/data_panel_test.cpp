// SPDX-License-Identifier: GPL-3.0-or-later
#include "test_home.h"
#include "ui/data/data_panel.h"
#include "ui/data/piece_editor.h"
#include "ui/panels/figure_tile.h"
#include "ui/theme.h"

#include <QDropEvent>
#include <QLabel>
#include <QListWidget>
#include <QMimeData>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableWidget>
#include <QTest>
#include <QUrl>

#include <fstream>

using namespace pha;
using namespace pha::ui;

class DataPanelTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        Dialogs dialogs;
        std::unique_ptr<DataPanel> panel;

        Fixture() { open(); }
        void open()
        {
            panel.reset();
            panel = std::make_unique<DataPanel>(&dialogs);
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
            QTRY_COMPARE_WITH_TIMEOUT(role(), "good", 60000);
        }
        PieceEditor* editor() const { return find<PieceEditor>("dataEditor"); }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

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

    void stoppingAndClosingInTheMiddleAreSafe()
    {
        Fixture f;
        f.find<QListWidget>("dataCorpora")->setCurrentRow(0); // stories: seconds of work
        f.find<QPushButton>("dataTrain")->click();
        QVERIFY(!f.idle());
        QTest::keyClick(f.panel.get(), Qt::Key_Escape);
        QVERIFY(f.idle());
        QCOMPARE(f.message(), "Stopped.");
        f.find<QPushButton>("dataTrain")->click();
        f.panel.reset();
    }
};

QTEST_MAIN(DataPanelTest)
#include "data_panel_test.moc"
