// SPDX-License-Identifier: GPL-3.0-or-later
#include "chart_helpers.h"
#include "test_home.h"
#include "tests/gui/saved_file.h"
#include "tests/suite.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/time_plot.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_panel.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/runs/run_list_model.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QStackedWidget>
#include <QTableView>
#include <QTest>
#include <QToolButton>

#include <cmath>

using namespace pha;
using namespace pha::ui;

class CompareTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        std::unique_ptr<RunSession> a, b;
        ComparePanel panel;

        Fixture()
        {
            a = std::make_unique<RunSession>(home.train("a", 120));
            b = std::make_unique<RunSession>(trainOther("b", 160));
            const auto read = [this] { return a->history().step.size() == 120 && b->history().step.size() == 160; };
            if (!QTest::qWaitFor(read, test::patience)) qFatal("the runs were not read in time");
            panel.resize(900, 640);
            panel.show();
        }
        fs::path trainOther(const std::string& name, std::int64_t steps) const
        {
            test::FakeOptions options;
            options.stepsPerSecond = 0;
            FakeEngine engine(options);
            SilentSink sink;
            auto request = home.request(name, steps);
            request.config.set("width", "96");
            request.config.set("learning_rate", "0.001");
            engine.openTraining(request, sink, {})->run(sink, {});
            return home.runs() / name;
        }
        CompareModel* model() const { return panel.findChild<CompareModel*>(); }
        template <class T> T* find(const char* name) const { return panel.findChild<T*>(QLatin1String(name)); }
        QString cell(const QString& row, int column, int role = Qt::DisplayRole) const
        {
            for (int r = 0; r < model()->rowCount({}); ++r)
                if (model()->index(r, 0).data().toString() == row)
                    return model()->index(r, column).data(role).toString();
            return QStringLiteral("no such row");
        }
    };
    using FakeEngine = test::FakeEngine;

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void emptyPanelSaysWhatToDo()
    {
        Fixture f;
        QCOMPARE(f.find<QTableView>("compareTable")->isVisible(), false);
        f.panel.setSessions({ f.a.get() }, f.a.get());
        QVERIFY(f.find<QTableView>("compareTable")->isVisible());
        QVERIFY(f.find<QLabel>("compareHint")->text().contains("Tick another run"));
    }

    void figuresAreThoseOfTheCommand()
    {
        Fixture f;
        QAbstractItemModelTester tester(f.model());
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.b.get());
        QCOMPARE(f.panel.baseline(), f.a.get());
        QCOMPARE(f.model()->columnCount({}), 4);
        const auto read = RunFigures::read(f.a->directory());
        const auto other = RunFigures::read(f.b->directory());
        const auto csv = f.panel.csv().split('\n');
        for (const auto* shown : figuresOf({ &read, &other })) {
            const auto& figure = *shown;
            const auto wanted =
                QStringLiteral("%1,%2,%3")
                    .arg(QString::fromStdString(figure.name), QString::number(*figure.value(read), 'g', 17),
                        QString::number(*figure.value(other), 'g', 17));
            QVERIFY2(csv.contains(wanted), qPrintable(wanted + "\n" + csv.join('\n')));
        }
        QCOMPARE(f.cell("steps", 1), "120");
        QCOMPARE(f.cell("steps", 2), "160");
        QCOMPARE(f.cell("steps", 3), "+40");
        QVERIFY(f.cell("best perplexity", 3).contains(" %"));
    }

    void whatNobodySeesWaits()
    {
        Fixture f;
        f.panel.hide();
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        QCOMPARE(f.model()->differences(), 3); // settings are known all the same, and the groups
        QCOMPARE(f.cell("steps", 1), QString::fromUtf8("\u2013"));
        f.panel.show();
        QCOMPARE(f.cell("steps", 1), "120");
        QCOMPARE(f.cell("steps", 2), "160");
    }

    void anotherNameIsTakenOver()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        f.a->rename("a name that is much longer than its heading");
        const auto heading = [&f] { return f.model()->headerData(1, Qt::Horizontal, Qt::DisplayRole).toString(); };
        QTRY_VERIFY(heading().startsWith("a name"));
        QVERIFY2(heading().endsWith(QString::fromUtf8("\u2026s heading (baseline)")), qPrintable(heading()));
        QVERIFY(f.find<QComboBox>("compareBaseline")->currentText().startsWith("a name"));
        for (const auto& sheet : f.find<TimePlot>("comparePerplexityChart")->sheets()) QVERIFY(sheet.name != "a");
    }

    void onlyDifferentSettingsAreListedUntilAllAreWanted()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        QCOMPARE(f.model()->differences(), 3); // width, learning_rate, steps
        QCOMPARE(f.cell("width", 2), "96");
        QCOMPARE(f.cell("layers", 1), "no such row");
        f.find<QToolButton>("compareEqual")->click();
        QVERIFY(f.cell("layers", 1) != "no such row");
        QCOMPARE(f.cell("layers", 1), f.cell("layers", 2));
        QCOMPARE(f.model()->rowCount({}), int(figuresOf({}).size() + allFields().size()) + 2);
    }

    void deltasAreColouredByWhatIsBetter()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        const auto colourOf = [&](const QString& row) {
            for (int r = 0; r < f.model()->rowCount({}); ++r)
                if (f.model()->index(r, 0).data().toString() == row)
                    return f.model()->index(r, 3).data(Qt::ForegroundRole).value<QBrush>().color();
            return QColor();
        };
        const auto& c = Theme::instance().colours();
        const auto read = RunFigures::read(f.a->directory()), other = RunFigures::read(f.b->directory());
        QVERIFY(read.best->perplexity != other.best->perplexity);
        QCOMPARE(colourOf("best perplexity"), other.best->perplexity < read.best->perplexity ? c.good : c.error);
        QCOMPARE(colourOf("parameters"), c.muted);
    }

    void baselineCanBeChosen()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        auto* box = f.find<QComboBox>("compareBaseline");
        QCOMPARE(box->currentText(), "a");
        box->setCurrentIndex(1);
        Q_EMIT box->activated(1);
        QCOMPARE(f.panel.baseline(), f.b.get());
        QCOMPARE(f.cell("steps", 1), "160");
        f.panel.setBaseline(f.a->directory());
        QCOMPARE(f.cell("steps", 1), "120");
    }

    void curvesLieOverOneAnother()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        auto* loss = f.find<TimePlot>("compareLossChart");
        auto* perplexity = f.find<TimePlot>("comparePerplexityChart");
        QTRY_COMPARE(loss->sheets().size(), 2);
        QTRY_COMPARE(loss->sheets()[0].rows(), 120);
        QTRY_COMPARE(loss->sheets()[1].rows(), 160);
        QTRY_VERIFY(perplexity->sheets()[0].rows() > 0);
        const auto lastX = [&] { return loss->sheets()[0].cell(119, 0).toDouble(); };
        QCOMPARE(lastX(), 120.0);
        f.find<QComboBox>("compareAxis")->setCurrentIndex(1); // tokens
        QTRY_COMPARE(loss->sheets()[0].rows(), 120);
        QCOMPARE(lastX(), double(f.a->history().tokens.back()));
        QVERIFY(!f.panel.grab().isNull());
    }

    /// No axis holds exp(2000), and one that holds exp(40) has no room for a run that learns.
    void aRunThatDivergesLeavesRoomForTheOthers()
    {
        for (const double nll : { 2000., 40. })
            for (const bool divergedFirst : { true, false }) {
                const auto diverged = test::session("diverged"), good = test::session("good", 500);
                diverged->receive({ test::stepEvent(1, nll), test::evalEvent(1, nll) });
                good->receive({ test::stepEvent(1, 4.5), test::evalEvent(1, 4.5) });
                ComparePanel panel;
                panel.resize(900, 640);
                panel.show();
                auto *first = divergedFirst ? diverged.get() : good.get(),
                     *second = divergedFirst ? good.get() : diverged.get();
                const auto* chart = panel.findChild<TimePlot*>(QStringLiteral("comparePerplexityChart"));
                QVERIFY(chart->logarithmic());
                panel.setSessions({ first }, first);
                QTRY_COMPARE(test::rowsOf(chart, first->name()), 1);
                panel.setSessions({ diverged.get(), good.get() }, first);
                QTRY_COMPARE(test::rowsOf(chart, second->name()), 1);
                const auto range = [&] { return chart->plot()->yAxis->range(); };
                QTRY_VERIFY2(range().lower < 90 && range().upper > 90.1 && range().upper < 1e6,
                    qPrintable(QStringLiteral("%1 to %2").arg(range().lower).arg(range().upper)));
                QVERIFY(std::isnan(test::cellOf(chart, QStringLiteral("diverged"), 0, 1)));
            }
    }

    void aRunThatIsStillTrainingGrows()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get() }, f.a.get());
        QCOMPARE(f.cell("steps", 1), "120");
        StepEvent step = test::fakeStep(121, f.a->file().config);
        f.a->receive({ step });
        QTRY_COMPARE(f.cell("steps", 1), "121");
    }

    void aRunThatWaitsHasNoNumberOfParametersYet()
    {
        Fixture f;
        const auto nothing = QString::fromUtf8("\u2013");
        RunSession waiting(f.home.runs() / "waiting", RunFile { "waiting", {}, f.b->file().config, Json::object() });
        f.panel.setSessions({ f.a.get(), &waiting }, f.a.get());
        QCOMPARE(f.cell("steps", 1), nothing); // this column is the one that waits
        QCOMPARE(f.cell("parameters", 1), nothing); // the text decides the vocabulary
        QCOMPARE(f.cell("parameters", 3), nothing);
        QVERIFY(f.cell("parameters", 2) != nothing);
        waiting.receive({ test::fakeStep(1, waiting.file().config) });
        const auto& config = waiting.file().config;
        QTRY_COMPARE(
            f.cell("parameters", 1), formatCount(modelCosts(config.model, config.training.context).parameters));
        QVERIFY(f.cell("parameters", 3) != nothing);
    }

    void aRowThatComesLaterHidesNoValue()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        const auto* table = f.find<QTableView>("compareTable");
        const auto spansFit = [&] {
            for (int row = 0; row < f.model()->rowCount({}); ++row)
                if (table->columnSpan(row, 0) != (f.model()->isSection(row) ? 2 : 1)) return false;
            return true;
        };
        QVERIFY(spansFit());
        const int rows = f.model()->rowCount({});
        auto scored = test::fakeEval(120, f.a->file().config);
        scored.split = "test";
        f.a->receive({ scored });
        QTRY_COMPARE(f.model()->rowCount({}), rows + 1);
        QTRY_VERIFY(spansFit());
    }

    void aRunMayGoAtAnyTime()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        f.b.reset();
        QCOMPARE(f.model()->columnCount({}), 2);
        f.a.reset();
        QCOMPARE(f.model()->columnCount({}), 0);
        QCOMPARE(f.panel.baseline(), nullptr);
        QTest::qWait(0);
        QVERIFY(!f.panel.grab().isNull());
    }

    void tableIsExported()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get(), f.b.get() }, f.a.get());
        const auto path = QString::fromStdString((f.home.path() / "out.csv").string());
        f.panel.askForFile = [&](QWidget*) { return path; };
        f.find<QToolButton>("compareCsv")->click();
        QCOMPARE(QString::fromUtf8(test::savedAt(path)), f.panel.csv());
    }

    /// A replay or an import that ends while the dialog stands brings another run.
    void theTableThatWasAskedForIsExported()
    {
        Fixture f;
        f.panel.setSessions({ f.a.get() }, f.a.get());
        const auto asked = f.panel.csv();
        const auto path = QString::fromStdString((f.home.path() / "out.csv").string());
        f.panel.askForFile = [&](QWidget*) {
            f.panel.setSessions({ f.a.get(), f.b.get() }, f.b.get());
            return path;
        };
        f.find<QToolButton>("compareCsv")->click();
        QCOMPARE(QString::fromUtf8(test::savedAt(path)), asked);
        QVERIFY(f.panel.csv() != asked);
    }
};

PHA_TEST(CompareTest)
#include "compare_test.moc"
