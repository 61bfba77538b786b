// SPDX-License-Identifier: GPL-3.0-or-later
// The film of a run: newest sample until the user goes back, figures of the moment, keys, files.
#include "engine/run/fork_point.h"
#include "tests/gui/patience.h"
#include "tests/gui/saved_file.h"
#include "tests/gui/test_home.h"
#include "tests/suite.h"
#include "ui/charts/mixing_bars.h"
#include "ui/charts/time_plot.h"
#include "ui/controls/token_view.h"
#include "ui/film/film_panel.h"
#include "ui/look/theme.h"

#include <QClipboard>
#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QStackedWidget>
#include <QTemporaryDir>
#include <QTest>

using namespace pha;
using namespace pha::ui;

namespace {

SampleEvent sampleAt(std::int64_t step)
{
    const auto word = " at " + std::to_string(step);
    return { step, "Mara <b>took</b>", word, { { word, 0.25, 1.5 } }, 1 };
}

/// A run that is about to start, into which the test puts what it reports.
struct FilmFixture {
    test::TestHome home;
    RunSession session { home.runs() / "a", planned() };
    FilmPanel panel;

    static RunFile planned()
    {
        RunFile file;
        file.name = "My run";
        file.config = presets().front().config;
        file.config.training.sampleEvery = 20;
        return file;
    }
    FilmFixture()
    {
        panel.resize(760, 560);
        panel.show();
        panel.activateWindow();
        if (!QTest::qWaitForWindowActive(&panel, test::patience)) qFatal("the panel does not become active");
        panel.setSession(&session);
    }
    /// As the engine reports: update, mix, evaluation, sample.
    void report(std::int64_t step)
    {
        std::vector<Event> events;
        if (step > 0) {
            events.push_back(test::fakeStep(step, session.file().config));
            events.push_back(test::fakeMixing(step, session.file().config));
            events.push_back(test::fakeEval(step, session.file().config));
        }
        events.push_back(sampleAt(step));
        session.receive(events);
    }
    void reportAll()
    {
        for (const auto step : { 0, 20, 40, 60 }) report(step);
    }
    template <class T> T* find(const char* name) const { return panel.findChild<T*>(QLatin1String(name)); }
    QString text() const { return find<TokenView>("filmText")->text(); }
    QString now() const { return find<QLabel>("filmNow")->text(); }
};

} // namespace

class FilmPanelTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void saysWhyThereIsNothing()
    {
        FilmFixture f;
        auto* words = f.find<QLabel>("filmEmpty");
        QVERIFY(words->isVisible());
        QCOMPARE(words->text(), QStringLiteral("This run has written no samples."));
        f.session.prepare();
        QVERIFY2(words->text().startsWith(QStringLiteral(
                     "The first sample comes as the training begins, then one every 20 updates; Ctrl+Shift+T")),
            qPrintable(words->text()));
        auto fork = FilmFixture::planned(); // it has nothing to write before it learns on
        fork.environment["parent"] = RunParent { "first", "first", 40 }.toJson();
        RunSession forked(f.home.runs() / "b", fork);
        forked.prepare();
        f.panel.setSession(&forked);
        QVERIFY2(words->text().startsWith(QStringLiteral("A fork writes a sample every 20 updates, none before its")),
            qPrintable(words->text()));
        f.panel.setSession(nullptr);
        QVERIFY(words->text().contains(QStringLiteral("Select a run")));
        QCOMPARE(f.panel.frame(), -1);
        QTest::keyClick(&f.panel, Qt::Key_Right);
        QCOMPARE(f.panel.frame(), -1);
    }

    void followsUntilTheUserGoesBack()
    {
        FilmFixture f;
        f.report(0);
        QCOMPARE(f.text(), QStringLiteral("Mara <b>took</b> at 0"));
        f.report(20);
        f.report(40);
        QCOMPARE(f.panel.frame(), 2);
        QCOMPARE(f.now(), QStringLiteral("step 40 \u00b7 3 of 3"));
        auto* slider = f.find<QSlider>("filmSlider");
        QCOMPARE(slider->maximum(), 2);
        slider->setValue(1);
        QCOMPARE(f.panel.frame(), 1);
        f.report(60);
        QCOMPARE(f.panel.frame(), 1); // left where the user is
        QCOMPARE(slider->maximum(), 3);
        QVERIFY(!f.panel.following());
        slider->setValue(3);
        f.report(80);
        QCOMPARE(f.panel.frame(), 4);
    }

    /// A recording also loses what had not been said at an earlier moment.
    void showsWhatWasKnownWhenARunIsPlayedBack()
    {
        FilmFixture f;
        f.reportAll();
        const auto recording = RunSession::recordingOf(f.session);
        auto* curve = f.find<TimePlot>("filmCurve");
        const auto evaluations = [curve] { return curve->count(curve->cursorValues(20).value(0).series); };
        f.panel.setSession(recording.get());
        QCOMPARE(f.panel.frames(), 1);
        QCOMPARE(f.text(), QStringLiteral("Mara <b>took</b> at 0"));
        recording->showMoment(f.session, 3);
        QCOMPARE(f.text(), QStringLiteral("Mara <b>took</b> at 60"));
        QCOMPARE(evaluations(), 3);
        recording->showMoment(f.session, 1);
        QCOMPARE(f.text(), QStringLiteral("Mara <b>took</b> at 20"));
        QCOMPARE(f.find<QSlider>("filmSlider")->maximum(), 1);
        QCOMPARE(evaluations(), 1);
        recording->showMoment(f.session, 3);
        QCOMPARE(evaluations(), 3);
        f.panel.showFrame(2);
        recording->showMoment(f.session, 1); // what the user looked at was not there yet
        QCOMPARE(f.text(), QStringLiteral("Mara <b>took</b> at 20"));
        QCOMPARE(f.now(), QStringLiteral("step 20 \u00b7 2 of 2"));
        f.panel.setSession(&f.session);
        QCOMPARE(f.panel.frame(), 3);
    }

    /// As a run with sample_every = 0 writes its only sample: at its end.
    void aRecordingGoesBackToBeforeItsFirstSample()
    {
        FilmFixture f;
        for (const auto step : { 20, 40 }) f.session.receive({ test::fakeStep(step, f.session.file().config) });
        f.report(60);
        const auto recording = RunSession::recordingOf(f.session);
        f.panel.setSession(recording.get());
        recording->showMoment(f.session, 3);
        QCOMPARE(f.panel.frame(), 0);
        recording->showMoment(f.session, 1);
        QVERIFY(f.find<QLabel>("filmEmpty")->isVisible());
        QCOMPARE(f.panel.frame(), -1);
        Q_EMIT f.find<TimePlot>("filmCurve")->cursorLeft();
        recording->showMoment(f.session, 3);
        QCOMPARE(f.text(), QStringLiteral("Mara <b>took</b> at 60"));
        f.panel.setSession(&f.session);
    }

    void everythingIsOfOneMoment()
    {
        FilmFixture f;
        f.reportAll();
        f.panel.showFrame(1);
        const auto figures = f.find<QLabel>("filmFigures")->text();
        const auto& config = f.session.file().config;
        QVERIFY2(figures.contains(QStringLiteral("loss %1").arg(test::fakeStep(20, config).loss, 0, 'f', 3)),
            qPrintable(figures));
        QVERIFY(
            figures.contains(QStringLiteral("perplexity %1").arg(test::fakeEval(20, config).perplexity, 0, 'f', 2)));
        QVERIFY(figures.contains(QStringLiteral("surprise 1.39 nats")));
        QCOMPARE(f.find<QLabel>("filmMixTitle")->text(), QStringLiteral("Branch mix, step 20"));
        QCOMPARE(f.find<MixingBars>("filmBars")->rows(), int(config.model.layers) + 1);
        QCOMPARE(
            f.find<TimePlot>("filmCurve")->count(f.find<TimePlot>("filmCurve")->cursorValues(20).value(0).series), 3);
        auto* text = f.find<TokenView>("filmText");
        QVERIFY(text->tokens()[0].prompt && !text->colourOf(0).isValid() && text->colourOf(1).isValid());
        f.find<QComboBox>("filmTint")->setCurrentIndex(3);
        QVERIFY(!text->colourOf(1).isValid());
        f.panel.showFrame(0);
        QVERIFY(!f.find<QLabel>("filmFigures")->text().contains(QStringLiteral("validation")));
    }

    void samplesOfOlderRunsAreText()
    {
        FilmFixture f;
        f.session.receive({ SampleEvent { 20, "Once", " upon" } });
        QCOMPARE(f.text(), QStringLiteral("Once upon"));
        QVERIFY(!f.find<TokenView>("filmText")->colourOf(1).isValid());
        QCOMPARE(f.find<QLabel>("filmMixTitle")->text(), QStringLiteral("No mixing weights yet"));
    }

    void keysScrubAndPlay()
    {
        FilmFixture f;
        f.reportAll();
        f.find<QComboBox>("filmSpeed")->setCurrentIndex(2);
        for (auto* target : { static_cast<QWidget*>(&f.panel), static_cast<QWidget*>(f.find<QSlider>("filmSlider")) }) {
            target->setFocus();
            QTest::keyClick(target, Qt::Key_Home);
            QCOMPARE(f.panel.frame(), 0);
            QTest::keyClick(target, Qt::Key_Right);
            QCOMPARE(f.panel.frame(), 1);
            QTest::keyClick(target, Qt::Key_Left);
            QCOMPARE(f.panel.frame(), 0);
            QTest::keyClick(target, Qt::Key_End);
            QCOMPARE(f.panel.frame(), 3);
            QTest::keyClick(target, Qt::Key_Space); // from the end: from the beginning
            QCOMPARE(f.panel.frame(), 0);
            QTRY_COMPARE_WITH_TIMEOUT(f.panel.frame(), 3, test::patience);
            QVERIFY(f.panel.following());
        }
        f.panel.togglePlay();
        QTest::keyClick(&f.panel, Qt::Key_Right); // whoever scrubs has taken over
        QCOMPARE(f.panel.frame(), 1);
        QTest::qWait(700);
        QCOMPARE(f.panel.frame(), 1);
    }

    void startsOverWithTheHistory()
    {
        FilmFixture f;
        f.reportAll();
        f.panel.showFrame(1);
        f.session.restore({ sampleAt(0) });
        QCOMPARE(f.panel.frame(), 0);
        QCOMPARE(f.now(), QStringLiteral("step 0 \u00b7 1 of 1"));
        f.session.restore({});
        QVERIFY(f.find<QLabel>("filmEmpty")->isVisible());
    }

    void hiddenItWaits()
    {
        FilmFixture f;
        f.report(0);
        f.panel.hide();
        f.report(20);
        QCOMPARE(f.panel.frame(), 0);
        f.panel.show();
        QCOMPARE(f.panel.frame(), 1);
    }

    void savesAPageOrATable()
    {
        FilmFixture f;
        QTemporaryDir folder;
        f.reportAll();
        for (const auto* name : { "film.html", "film.csv" }) {
            const auto path = folder.filePath(QLatin1String(name));
            f.panel.askForFile = [&](QWidget*, const QString&) { return path; };
            f.find<QPushButton>("filmSave")->click();
            const auto content = test::savedAt(path);
            QVERIFY(content.contains("at 60") && content.contains("at 0"));
            const auto& h = f.session.history();
            const FilmRows rows { h.samples, h.evals, h.mixing, h.step, h.loss };
            QCOMPARE(content.toStdString(),
                path.endsWith(QStringLiteral("csv")) ? filmTable(rows) : filmPage("My run", rows));
        }
        f.panel.askForFile = [&](QWidget*, const QString&) { return folder.filePath(QStringLiteral("no/film.html")); };
        f.find<QPushButton>("filmSave")->click();
        QVERIFY(f.find<QLabel>("filmMessage")->text().contains(QStringLiteral("cannot be written")));
        f.find<QPushButton>("filmCopy")->click();
        QCOMPARE(QApplication::clipboard()->text(), QStringLiteral("Mara <b>took</b> at 60"));
    }

    /// A replay or an import that ends while the dialog stands selects another run.
    void savesTheRunThatWasShownWhenItWasAskedFor()
    {
        FilmFixture f;
        QTemporaryDir folder;
        f.reportAll();
        const auto& h = f.session.history();
        const FilmRows rows { h.samples, h.evals, h.mixing, h.step, h.loss };
        auto file = FilmFixture::planned();
        file.name = "Other";
        RunSession other(f.home.runs() / "b", file);
        other.receive({ sampleAt(0) });
        for (auto* next : { &other, static_cast<RunSession*>(nullptr) }) {
            f.panel.setSession(&f.session);
            const auto path = folder.filePath(next ? QStringLiteral("one.html") : QStringLiteral("two.html"));
            f.panel.askForFile = [&](QWidget*, const QString&) {
                f.panel.setSession(next);
                return path;
            };
            f.find<QPushButton>("filmSave")->click();
            QCOMPARE(test::savedAt(path).toStdString(), filmPage("My run", rows));
        }
    }

    void everyControlIsNamed()
    {
        FilmFixture f;
        f.reportAll();
        for (const auto* name :
            { "filmPlay", "filmSlider", "filmSpeed", "filmTint", "filmText", "filmCopy", "filmSave", "filmBars" }) {
            auto* control = f.find<QWidget>(name);
            QVERIFY2(control && !control->accessibleName().isEmpty(), name);
            QVERIFY2(control->focusPolicy() & Qt::TabFocus, name);
        }
    }
};

PHA_TEST(FilmPanelTest)
#include "film_panel_test.moc"
