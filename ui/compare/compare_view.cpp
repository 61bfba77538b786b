// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/compare_view.h"

#include "ui/charts/readout_strip.h"
#include "ui/charts/time_plot.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/scaling_chart.h"
#include "ui/controls/controls.h"
#include "ui/controls/folding_row.h"
#include "ui/controls/table_tools.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableView>
#include <QToolButton>
#include <QVBoxLayout>

namespace pha::ui {

CompareView::CompareView(QWidget* panel)
{
    pages = new QStackedWidget(panel);
    pages->addWidget(emptyPage(panel, tr("Nothing to compare yet"),
        tr("Tick runs in the list at the left (or select one and press H): their curves, figures and settings stand "
           "here side by side."))
                         .page);
    auto* full = new QWidget(panel);
    auto* layout = new QVBoxLayout(full);
    layout->setContentsMargins(8, 6, 8, 8);
    layout->setSpacing(5);
    layout->addWidget(buildTools(full));
    readout = new ReadoutStrip(full);
    readout->setObjectName(QStringLiteral("compareReadout"));
    layout->addWidget(readout);
    auto* rows = splitter(Qt::Vertical, full, "compareRows", 6);
    rows->addWidget(buildCharts(full));
    rows->addWidget(buildTable(full));
    rows->setStretchFactor(0, 5);
    rows->setStretchFactor(1, 6);
    rows->setSizes({ 260, 330 });
    layout->addWidget(rows, 1);
    pages->addWidget(full);
    auto* outer = new QVBoxLayout(panel);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(pages);
}

namespace {

QWidget* row(QWidget* parent, const QVector<QWidget*>& widgets)
{
    auto* box = new QWidget(parent);
    auto* layout = new QHBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    for (auto* widget : widgets) layout->addWidget(widget);
    return box;
}

} // namespace

QWidget* CompareView::buildTools(QWidget* panel)
{
    auto* box = new FoldingRow(panel);
    axis = new QComboBox(box);
    axis->setObjectName(QStringLiteral("compareAxis"));
    axis->setAccessibleName(tr("X axis"));
    axis->setToolTip(tr("What the curves are drawn over (X). Active time leaves out pauses and evaluations."));
    for (const auto x : { XAxis::Step, XAxis::Tokens, XAxis::Seconds }) axis->addItem(axisName(x));
    logarithmic = toolButton(box, "compareLog", tr("Log"), tr("Logarithmic axes of both charts (L)"), true);
    logarithmic->setChecked(true);
    fit = toolButton(box, "compareFit", tr("Fit"), tr("Show everything and keep up with the runs (F)"));
    group = toolButton(box, "compareGroup", tr("Group seeds"),
        tr("Draw runs that differ in nothing but the seed as one curve, their mean with a band (G)"), true);
    group->setChecked(true);
    band = new QComboBox(box);
    band->setObjectName(QStringLiteral("compareBand"));
    band->setAccessibleName(tr("Band"));
    band->setToolTip(
        tr("How far the band around a mean reaches. The range, lowest to highest, says what the few seeds "
           "did; the standard deviation what another run may do; the standard error how sure the mean is."));
    band->addItems({ tr("range"), tr("deviation"), tr("std. error") });
    baseline = new QComboBox(box);
    baseline->setObjectName(QStringLiteral("compareBaseline"));
    baseline->setAccessibleName(tr("Baseline"));
    baseline->setToolTip(tr("The run that the others are measured against (B makes the selected run the baseline)"));
    baseline->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    baseline->setMinimumContentsLength(12);
    baseline->setMinimumWidth(baseline->fontMetrics().averageCharWidth() * 16); // a long name ends in dots
    show = new QComboBox(box);
    show->setObjectName(QStringLiteral("compareShow"));
    show->setAccessibleName(tr("What is drawn"));
    show->setToolTip(
        tr("Curves: each run while it trained. Scaling: the best loss of every run against the compute of its "
           "training, and what that says of larger ones."));
    show->addItems({ tr("Curves"), tr("Scaling") });
    by = new QComboBox(box);
    by->setObjectName(QStringLiteral("compareScalingBy"));
    by->setAccessibleName(tr("Setting that makes a curve"));
    by->setToolTip(tr("Runs with the same value of this setting share a curve"));
    by->setSizeAdjustPolicy(QComboBox::AdjustToContents);
    curveTools = row(box, { caption(box, tr("&over"), axis), axis, logarithmic, fit });
    scalingTools = row(box, { caption(box, tr("a curve for each &value of"), by), by });
    seedTools = row(box, { group, band });
    auto* reference = row(box, { caption(box, tr("&Baseline"), baseline), baseline });
    static_cast<QHBoxLayout*>(reference->layout())->insertStretch(0);
    reference->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    box->add({ show, curveTools, scalingTools });
    box->add({ seedTools, reference });
    return box;
}

QWidget* CompareView::buildCharts(QWidget* panel)
{
    charts = new QStackedWidget(panel);
    auto* columns = splitter(Qt::Horizontal, charts, "compareCharts", 6);
    perplexity = new TimePlot(
        QStringLiteral("comparePerplexityChart"), tr("Validation perplexity"), ValueKind::Perplexity, columns);
    loss = new TimePlot(QStringLiteral("compareLossChart"), tr("Training loss, smoothed"), ValueKind::Loss, columns);
    for (auto* chart : { perplexity, loss }) {
        chart->setMinimumSize(200, 130);
        chart->setLogarithmic(true);
        columns->addWidget(chart);
    }
    columns->setSizes({ 500, 500 });
    scaling = new ScalingChart(charts);
    scaling->setMinimumSize(200, 130);
    charts->addWidget(columns);
    charts->addWidget(scaling);
    return charts;
}

QWidget* CompareView::buildTable(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    auto* head = new QHBoxLayout;
    equal = toolButton(
        frame, "compareEqual", tr("Equal settings"), tr("Also list the settings that are the same in all runs"), true);
    copy = toolButton(
        frame, "compareCopy", tr("Copy"), tr("Copy the selected rows, or the whole table, with tabs (Ctrl+C)"));
    csv = toolButton(frame, "compareCsv", tr("Export CSV\u2026"), tr("Save the table with full precision"));
    head->addWidget(label(frame, tr("Side by side"), "heading"));
    hint = new MessageLabel(frame, "compareHint");
    hint->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred); // it wraps
    head->addSpacing(8);
    head->addWidget(hint, 1);
    for (auto* b : { equal, copy, csv }) head->addWidget(b);
    model = new CompareModel(panel);
    table = new QTableView(frame);
    table->setObjectName(QStringLiteral("compareTable"));
    table->setAccessibleName(tr("Figures and settings of the runs"));
    table->setToolTip(tr("Green: better than the baseline. Red: worse."));
    styleTable(table);
    makeCopyable(table);
    table->setModel(model);
    table->setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    table->setMinimumHeight(120);
    layout->addLayout(head);
    layout->addWidget(table, 1);
    return frame;
}

} // namespace pha::ui
