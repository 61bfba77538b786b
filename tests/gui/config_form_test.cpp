// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tokenizer.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/config_form/config_panel.h"
#include "ui/config_form/form_section.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QAbstractItemModelTester>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QDir>
#include <QGuiApplication>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QProcess>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QTreeView>
#include <QWheelEvent>

#include <fstream>

using namespace pha;
using namespace pha::ui;

class ConfigFormTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        Dialogs dialogs;
        std::unique_ptr<ConfigPanel> panel;
        Fixture() { open(); }
        void open()
        {
            panel.reset(); // its draft is written when it goes
            panel = std::make_unique<ConfigPanel>(&dialogs);
            panel->resize(320, 800);
            panel->show();
            for (auto* section : panel->findChildren<FormSection*>()) section->setOpen(true);
        }
        template <class T> T* find(const char* name) const { return panel->findChild<T*>(QLatin1String(name)); }
        void type(const char* field, const char* text) const
        {
            auto* edit = find<QLineEdit>(field);
            edit->setFocus();
            edit->selectAll();
            QTest::keyClicks(edit, QLatin1String(text));
        }
        QString command() const { return panel->draft()->command(); }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void everyFieldHasARowWithHelp()
    {
        const Fixture f;
        for (const auto& grouped : allFields()) {
            if (grouped.field.name == "vocabulary") continue; // follows from the tokenizer
            const auto name = "field_" + grouped.field.name;
            auto* editor = f.find<QWidget>(name.c_str());
            QVERIFY2(editor, name.c_str());
            if (grouped.field.name == "data") continue; // its box carries both
            QVERIFY2(!editor->toolTip().isEmpty(), name.c_str());
            QVERIFY2(!editor->accessibleName().isEmpty(), name.c_str());
            QVERIFY2(editor->focusPolicy() & Qt::TabFocus, name.c_str());
        }
        QCOMPARE(f.find<QComboBox>("presetCombo")->count(), int(presets().size()));
        QVERIFY(!f.find<QLabel>("presetSummary")->text().isEmpty());
    }

    void filesAreNamedByTheirWholePaths()
    {
        const test::TestHome home;
        const auto before = QDir::currentPath();
        QVERIFY(QDir::setCurrent(QString::fromStdString(home.path().string())));
        const auto here = fs::current_path();
        for (const auto* name : { "own.txt", "own.model" }) std::ofstream(here / name) << "text";
        ConfigDraft draft;
        draft.setText("data", QStringLiteral("own.txt"));
        draft.setText("tokenizer", QStringLiteral("./own.model"));
        const auto config = draft.config();
        const auto swept = draft.configWith({ { "layers", "3" } });
        QVERIFY(QDir::setCurrent(before));
        QVERIFY(config.has_value());
        QCOMPARE(config->data.data, (here / "own.txt").string());
        QVERIFY(fs::path(config->data.tokenizer).is_absolute());
        QVERIFY(fs::equivalent(config->data.tokenizer, here / "own.model"));
        QCOMPARE(swept.data.data, (here / "own.txt").string());
        QCOMPARE(draft.text("data"), QStringLiteral("own.txt")); // the form shows what was typed
        draft.setText("data", QStringLiteral("stories"));
        QCOMPARE(draft.config()->data.data, std::string("stories"));
    }

    void figuresFollowWhatIsTyped()
    {
        const Fixture f;
        const auto before = f.find<QLabel>("parameterCount")->text();
        auto config = presets().front().config;
        f.type("field_layers", "9");
        config.model.layers = 9;
        config.model.vocabulary = config.data.vocabSize;
        QCOMPARE(f.find<QLabel>("parameterCount")->text(),
            QStringLiteral("at most ") + formatCount(modelCosts(config.model, config.training.context).parameters));
        QVERIFY(before != f.find<QLabel>("parameterCount")->text());
    }

    void aTokenizerThatIsThereSaysHowManyParameters()
    {
        const Fixture f;
        const auto* count = f.find<QLabel>("parameterCount");
        auto config = presets().front().config;
        const auto of = [&](std::int64_t vocabulary) {
            config.model.vocabulary = vocabulary;
            return formatCount(modelCosts(config.model, config.training.context).parameters);
        };
        QTRY_COMPARE(count->text(), QStringLiteral("at most ") + of(config.data.vocabSize));
        std::string text;
        for (int line = 0; line < 500; ++line) text += "line " + std::to_string(line) + " of a short text\n";
        SilentSink sink;
        const auto own = Tokenizer::train(text, 320, sink, {});
        const auto file = f.home.path() / "own.model";
        std::ofstream(file, std::ios::binary) << own->model();
        auto* draft = f.panel->draft();
        draft->setText("tokenizer", QString::fromStdString(file.string()));
        QTRY_COMPARE(count->text(), of(own->size()));
        draft->setText("tokenizer", QStringLiteral("bytes"));
        QTRY_COMPARE(count->text(), of(Tokenizer::given(draft->config()->data)->size()));
        draft->resetField("tokenizer");
        draft->setText("data", QStringLiteral("wikitext-2-raw")); // not here yet
        draft->setText("vocab_size", QStringLiteral("3000"));
        QTRY_COMPARE(count->text(), QStringLiteral("at most ") + of(3000));
        draft->setText("tokenizer", QStringLiteral("bytes"));
        QTRY_COMPARE(count->text(), of(Tokenizer::given(draft->config()->data)->size()));
    }

    void timeIsJudgedByTheRunsOfTheFolder()
    {
        const Fixture f;
        const auto* time = f.find<QLabel>("timeEstimate");
        const auto known = [&] { return time->text().startsWith(QStringLiteral("about")); };
        f.panel->form()->judgeTimeBy(f.home.runs());
        QVERIFY(!known());
        f.home.train("before", 30);
        f.panel->form()->judgeTimeBy(f.home.runs());
        QTRY_VERIFY(known());
        QVERIFY(time->toolTip().contains(QStringLiteral("At the speed of before.")));
        f.type("field_layers", "9");
        QTRY_VERIFY(time->toolTip().contains(QStringLiteral("before, which has another shape")));
        fs::remove_all(f.home.runs());
        f.panel->form()->judgeTimeBy(f.home.runs());
        QTRY_VERIFY(!known());
    }

    /// A preset or a corpus brings its own settings: none is chosen by scrolling over its box.
    void scrollingOverTheHeaderChangesNothing()
    {
        const Fixture f;
        f.type("field_learning_rate", "0.0123");
        const auto before = f.command();
        for (const char* name : { "presetCombo", "dataCombo" }) {
            auto* box = f.find<QComboBox>(name);
            QVERIFY(!box->hasFocus());
            QCOMPARE(box->focusPolicy(), Qt::StrongFocus);
            const auto middle = QPointF(box->rect().center());
            QWheelEvent wheel(middle, box->mapToGlobal(middle), {}, QPoint(0, -120), Qt::NoButton, Qt::NoModifier,
                Qt::NoScrollPhase, false);
            QCoreApplication::sendEvent(box, &wheel);
        }
        QCOMPARE(f.command(), before);
        QVERIFY(before.contains(QStringLiteral("0.0123")));
    }

    void commandNamesOnlyWhatChanged()
    {
        const Fixture f;
        const auto preset = QString::fromStdString(presets().front().name);
        QCOMPARE(f.command(), QStringLiteral("pha train --preset %1 --data stories").arg(preset));
        f.type("field_learning_rate", "1e-3");
        f.type("field_batch_size",
            QByteArray::number(qlonglong(presets().front().config.training.batchSize)).constData()); // the preset's own
        f.type("field_sample_prompt", "It's $HOME; rm");
        const auto expected = QStringLiteral(
            "pha train --preset %1 --data stories --set learning_rate=1e-3 --set 'sample_prompt=It'\\''s $HOME; rm'")
                                  .arg(preset);
        QCOMPARE(f.command(), expected);
        f.find<QPushButton>("copyCommand")->click();
        QCOMPARE(QGuiApplication::clipboard()->text(), expected);
        // A shell reads back exactly what was meant.
        QProcess shell;
        shell.start(QStringLiteral("/bin/sh"),
            { QStringLiteral("-c"), QStringLiteral("pha() { printf '%s|' \"$@\"; }; ") + expected });
        QVERIFY(shell.waitForFinished(test::patience));
        QVERIFY(
            QString::fromUtf8(shell.readAllStandardOutput()).contains(QStringLiteral("sample_prompt=It's $HOME; rm|")));
    }

    void errorsStandBesideTheField()
    {
        const Fixture f;
        QSignalSpy start(f.panel->form(), &ConfigForm::startRequested);
        for (const char* wrong : { "abc", "0", "-3", "1.5", "1e99", "" }) {
            f.type("field_batch_size", wrong);
            if (!*wrong) QTest::keyClick(f.find<QLineEdit>("field_batch_size"), Qt::Key_Backspace);
            auto* error = f.find<QLabel>("error_batch_size");
            QVERIFY2(error->isVisible(), wrong);
            QVERIFY2(error->text().contains(QStringLiteral("batch_size")), qPrintable(error->text()));
            QCOMPARE(error->textFormat(), Qt::PlainText);
            QVERIFY(!f.find<QPushButton>("startButton")->isEnabled());
            f.panel->form()->requestStart(); // by its shortcut
            QCOMPARE(start.count(), 0);
        }
        f.type("field_batch_size", "4");
        QVERIFY(!f.find<QLabel>("error_batch_size")->isVisible());
        f.type("field_query_heads", "3"); // alone fine, but the width does not divide by it
        QVERIFY(!f.panel->draft()->config());
        QVERIFY(!f.find<QPushButton>("startButton")->isEnabled());
        f.find<QPushButton>("resetForm")->click();
        QVERIFY(f.find<QPushButton>("startButton")->isEnabled());
        f.panel->form()->requestStart();
        QCOMPARE(start.count(), 1);
    }

    void anErrorInAClosedSectionOpensIt()
    {
        const Fixture f;
        auto* section = f.find<FormSection>("section_Machine");
        section->setOpen(false);
        f.panel->draft()->setText("threads", QStringLiteral("many"));
        QVERIFY(section->isOpen());
    }

    void editsCanBeUndone()
    {
        const Fixture f;
        auto& undo = f.panel->draft()->undoStack();
        const auto original = f.find<QLineEdit>("field_steps")->text();
        f.type("field_steps", "1234");
        QCOMPARE(undo.count(), 1); // typing is one step
        QTest::keyClick(f.find<QLineEdit>("field_steps"), Qt::Key_Return);
        f.find<QCheckBox>("field_zero_init")->click();
        QCOMPARE(undo.count(), 2);
        undo.undo();
        undo.undo();
        QCOMPARE(f.find<QLineEdit>("field_steps")->text(), original);
        undo.redo();
        QCOMPARE(f.find<QLineEdit>("field_steps")->text(), QStringLiteral("1234"));
        QVERIFY(f.find<QWidget>("reset_steps")->isVisible());
        f.panel->draft()->resetField("steps");
        QCOMPARE(f.find<QLineEdit>("field_steps")->text(), original);
    }

    void tasksBringTheirRecipe()
    {
        const Fixture f;
        auto* draft = f.panel->draft();
        const auto original = draft->text("batch_size");
        draft->setText("data", QStringLiteral("mqar"));
        QCOMPARE(f.find<QLineEdit>("field_batch_size")->text(), QStringLiteral("64"));
        QVERIFY(!draft->changed("batch_size") && !draft->command().contains(QStringLiteral("batch_size")));
        draft->setText("data", QStringLiteral("stories"));
        QCOMPARE(f.find<QLineEdit>("field_batch_size")->text(), original);
    }

    void presetKeepsDataAndMachine()
    {
        const Fixture f;
        f.type("field_seed", "7");
        f.type("field_layers", "9");
        f.panel->draft()->setText("data", QStringLiteral("/tmp/my text.txt"));
        const auto other = QString::fromStdString(presets().back().name);
        f.panel->draft()->setPreset(other);
        const auto config = f.panel->draft()->config();
        QVERIFY(config);
        QCOMPARE(config->training.seed, std::int64_t(7));
        QCOMPARE(config->data.data, std::string("/tmp/my text.txt"));
        QCOMPARE(config->model.layers, presets().back().config.model.layers);
        QVERIFY(f.command().contains(QStringLiteral("--data '/tmp/my text.txt'")));
        f.panel->draft()->setText("data", QStringLiteral("-my.txt"));
        QVERIFY(f.command().contains(QStringLiteral("--data ./-my.txt ")));
        f.panel->draft()->undoStack().undo();
        f.panel->draft()->undoStack().undo();
        QCOMPARE(f.find<QLineEdit>("field_layers")->text(), QStringLiteral("9"));
    }

    void browsingIsInjectable()
    {
        Fixture f;
        f.dialogs.openFile = [](QWidget*, const QString&, const QString&) {
            return QStringLiteral("/data/corpus.txt");
        };
        QTest::mouseClick(f.find<QWidget>("browseData"), Qt::LeftButton);
        QCOMPARE(f.panel->draft()->text("data"), QStringLiteral("/data/corpus.txt"));
        QVERIFY(f.panel->form()->runName().endsWith(QStringLiteral("corpus")));
    }

    void settingsAreFound()
    {
        const Fixture f;
        auto* search = f.find<QLineEdit>("settingSearch");
        QTest::keyClicks(search, QStringLiteral("gradient clip"));
        QVERIFY(f.find<QWidget>("field_clip")->isVisible());
        QVERIFY(!f.find<QWidget>("field_steps")->isVisible());
        QTest::keyClicks(search, QStringLiteral(" xyzzy"));
        QVERIFY(f.find<QWidget>("noSetting")->isVisible());
        search->clear();
        QVERIFY(f.find<QWidget>("field_steps")->isVisible());
    }

    void unfinishedFormSurvives()
    {
        Fixture f;
        f.type("field_steps", "77x");
        f.type("runNameField", "half done");
        f.open();
        QCOMPARE(f.find<QLineEdit>("field_steps")->text(), QStringLiteral("77x"));
        QCOMPARE(f.find<QLineEdit>("runNameField")->text(), QStringLiteral("half done"));
    }

    void frozenConfigurationShowsDifferencesAndClones()
    {
        const Fixture f;
        auto config = presets().front().config;
        config.preset = presets().front().name;
        config.training.learningRate = 6e-4;
        RunSession session(f.home.runs() / "x",
            RunFile { "one <b>run</b>", "2026-01-01T10:00:00Z", config, Json { { "device", "cpu" } } });
        f.panel->setSession(&session);
        f.panel->showRun();
        auto* tree = f.find<QTreeView>("frozenTree");
        const QAbstractItemModelTester tester(tree->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        const int sections = tree->model()->rowCount();
        QVERIFY(sections > 8);
        f.find<QCheckBox>("onlyDifferences")->click();
        QCOMPARE(tree->model()->rowCount(), 1);
        const auto value = tree->model()->index(0, 1, tree->model()->index(0, 0)).data().toString();
        QVERIFY2(value.contains(QStringLiteral("0.0006")) && value.contains(QChar(0x2192)), qPrintable(value));
        QCOMPARE(f.find<QLabel>("frozenTitle")->textFormat(), Qt::PlainText);
        f.find<QPushButton>("cloneButton")->click();
        QVERIFY(f.command().endsWith(QStringLiteral("--set learning_rate=0.0006")));
        // The form is a copy: editing it changes nothing of the run.
        f.panel->draft()->setText("learning_rate", QStringLiteral("0.5"));
        QCOMPARE(session.file().config.training.learningRate, 6e-4);
        // Long values end in dots: no column is wider than what can be seen of it.
        f.panel->showRun();
        f.panel->resize(290, 600);
        f.panel->show();
        QTRY_COMPARE(tree->header()->length(), tree->viewport()->width());
        // Of what the engine found out the panel learns with the state.
        config.model.vocabulary = 800;
        fs::create_directories(session.directory());
        RunDirectory(session.directory()).write(RunFile { "one", "2026-01-01T10:00:00Z", config, Json::object() });
        session.attach(nullptr);
        f.find<QCheckBox>("onlyDifferences")->click();
        const auto found = tree->model()->match(tree->model()->index(0, 0), Qt::DisplayRole,
            QStringLiteral("Vocabulary"), 1, Qt::MatchExactly | Qt::MatchRecursive);
        QVERIFY(!found.isEmpty());
        QCOMPARE(found.front().siblingAtColumn(1).data().toString(), QStringLiteral("800"));
        f.panel->setSession(nullptr);
        QVERIFY(f.find<QWidget>("frozenEmpty"));
    }

    void everyPresetIsAValidStart()
    {
        const Fixture f;
        for (const auto& preset : presets()) {
            f.panel->draft()->setPreset(QString::fromStdString(preset.name));
            QVERIFY2(f.panel->draft()->config(), qPrintable(f.panel->draft()->errors().join(QLatin1Char('\n'))));
            QCOMPARE(f.panel->draft()->config()->preset, preset.name);
        }
    }
};

PHA_TEST(ConfigFormTest)
#include "config_form_test.moc"
