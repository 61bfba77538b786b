// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bench/bench_view.h"

#include "ui/bench/bench_chart.h"
#include "ui/bench/bench_store.h"
#include "ui/controls/controls.h"
#include "ui/controls/folding_splitter.h"
#include "ui/controls/table_tools.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QFormLayout>
#include <QFrame>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QProgressBar>
#include <QPushButton>
#include <QSpinBox>
#include <QSplitter>
#include <QTableWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

QSpinBox* spinBox(QWidget* parent, const char* name, const QString& title, const QString& tip, int low, int high)
{
    auto* box = new QSpinBox(parent);
    box->setObjectName(QLatin1String(name));
    box->setAccessibleName(title);
    box->setToolTip(plainToolTip(tip));
    box->setRange(low, high);
    box->setGroupSeparatorShown(true);
    return box;
}

/// What is alike in all rows stands beside the table, and the last columns are left out where there is no room: nothing
/// is pushed out of sight sideways. The tooltip of a row and the exported file hold everything.
class RowsTable final : public QTableWidget {
public:
    using QTableWidget::QTableWidget;

    void fit()
    {
        int used = 0;
        for (int column = 0; column < columnCount(); ++column) {
            const bool said = column >= words_ && alike(column);
            const int width = std::max(sizeHintForColumn(column), horizontalHeader()->sectionSizeHint(column));
            if (!said) used += width;
            setColumnHidden(column, said || (column >= always && used > viewport()->width()));
        }
    }
    void setWords(int first) { words_ = first; } ///< columns from there on hold no numbers
    bool alike(int column) const
    {
        for (int row = 1; row < rowCount(); ++row)
            if (item(row, column)->text() != item(0, column)->text()) return false;
        return true;
    }

protected:
    void resizeEvent(QResizeEvent* event) override
    {
        QTableWidget::resizeEvent(event);
        fit();
    }

private:
    static constexpr int always = 3; ///< preset, context, speed
    int words_ = 0;
};

} // namespace

BenchView::BenchView(QWidget* panel)
{
    auto* layout = new QHBoxLayout(panel);
    layout->setContentsMargins(10, 10, 10, 10);
    auto* split = new FoldingSplitter(panel, "benchSplitter");
    split->addWidget(buildControls(split));
    split->addWidget(buildResults(split));
    split->setStretchFactor(1, 1);
    split->setWidths({ 280, 700 });
    layout->addWidget(split);
    QObject::connect(&Theme::instance(), &Theme::changed, table, [this] { paintSwatches(); });
}

QWidget* BenchView::buildPresets(QWidget* panel)
{
    auto* box = new QWidget(panel);
    auto* layout = new QVBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(6);
    filter = new QLineEdit(box);
    filter->setObjectName(QStringLiteral("benchFilter"));
    filter->setAccessibleName(tr("Find a preset"));
    filter->setPlaceholderText(tr("Find a preset"));
    filter->setToolTip(tr("Words of a preset's name"));
    filter->setClearButtonEnabled(true);
    filter->addAction(icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    presets = new QListWidget(box);
    presets->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff); // long names end in dots
    presets->setObjectName(QStringLiteral("benchPresets"));
    presets->setAccessibleName(tr("Presets to measure"));
    presets->setToolTip(tr("Space ticks a preset. Large ones need minutes and gigabytes."));
    presets->setMinimumHeight(120);
    for (const auto& preset : pha::presets()) {
        const auto count = modelCosts(preset.config.model, preset.config.training.context).parameters;
        auto* item = new QListWidgetItem(
            QStringLiteral("%1   %2").arg(fromUtf8(preset.name), formatCompact(double(count))), presets);
        item->setData(Qt::UserRole, fromUtf8(preset.name));
        item->setToolTip(plainToolTip(fromUtf8(preset.summary)));
        item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable);
        item->setCheckState(preset.name == "pha-tiny" || preset.name == "pha-lean-tiny" ? Qt::Checked : Qt::Unchecked);
    }
    presets->setCurrentRow(0);
    layout->addWidget(filter);
    layout->addWidget(presets, 1);
    return box;
}

QWidget* BenchView::buildControls(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    auto* form = new QFormLayout;
    form->setContentsMargins(0, 0, 0, 0);
    form->setVerticalSpacing(6);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    contexts = new QLineEdit(QStringLiteral("128, 256, 512, 1024"), frame);
    contexts->setObjectName(QStringLiteral("benchContexts"));
    contexts->setCursorPosition(0);
    contexts->setAccessibleName(tr("Context lengths"));
    contexts->setToolTip(tr("Tokens per sequence, separated by commas"));
    mode = new QComboBox(frame);
    mode->setObjectName(QStringLiteral("benchMode"));
    mode->setAccessibleName(tr("What is measured"));
    mode->setToolTip(tr("train: a whole update. forward: an evaluation. prompt: reading with caches kept. decode: "
                        "writing token by token."));
    for (const char* name : { "train", "forward", "prompt", "decode" }) mode->addItem(QLatin1String(name));
    batchTokens = spinBox(frame, "benchBatchTokens", tr("Tokens a step"),
        tr("Tokens of one measured step; the batch is this number divided by the context length, at least 1"), 16,
        1 << 20);
    batchTokens->setValue(int(BenchRequest().batchTokens));
    decodeBatch = spinBox(frame, "benchDecodeBatch", tr("Texts at once"),
        tr("Texts that are written at the same time, one token of each a step"), 1, 4096);
    decodeBatch->setValue(int(BenchRequest().decodeBatch));
    repeats = spinBox(frame, "benchRepeats", tr("Repeats"), tr("The median of so many measurements counts"), 1, 99);
    repeats->setValue(BenchRequest().repeats);
    form->addRow(caption(frame, tr("Con&texts"), contexts), contexts);
    form->addRow(caption(frame, tr("&What"), mode), mode);
    form->addRow(caption(frame, tr("Tokens a st&ep"), batchTokens), batchTokens);
    form->addRow(caption(frame, tr("Te&xts at once"), decodeBatch), decodeBatch);
    form->addRow(caption(frame, tr("Re&peats"), repeats), repeats);
    const auto showBatch = [this, form] { // writing has a batch of its own
        const bool decodes = mode->currentText() == QLatin1String("decode");
        form->setRowVisible(batchTokens, !decodes);
        form->setRowVisible(decodeBatch, decodes);
    };
    QObject::connect(mode, &QComboBox::currentTextChanged, form, showBatch);
    showBatch();
    run = pushButton(frame, "benchRun", tr("&Measure"), tr("Measure the ticked presets (Ctrl+Enter)"), "primary");
    run->setIcon(iconOnAccent(QStringLiteral("gauge")));
    stop = pushButton(frame, "benchStop", tr("&Stop"), tr("Stop after this repeat (Esc). Complete rows are kept."));
    stop->setIcon(icon(QStringLiteral("stop")));
    auto* buttons = new QHBoxLayout;
    buttons->addWidget(run, 1);
    buttons->addWidget(stop, 1);
    bar = new QProgressBar(frame);
    bar->setObjectName(QStringLiteral("benchProgress"));
    bar->setAccessibleName(tr("Progress of the measurement"));
    bar->setTextVisible(false);
    auto policy = bar->sizePolicy();
    policy.setRetainSizeWhenHidden(true); // nothing jumps
    bar->setSizePolicy(policy);
    warning = label(frame, {}, "warning");
    warning->setObjectName(QStringLiteral("benchWarning"));
    warning->setWordWrap(true);
    warning->hide();
    message = new MessageLabel(frame, "benchMessage");
    layout->addWidget(label(frame, tr("Presets"), "heading"));
    layout->addWidget(buildPresets(frame), 1);
    layout->addLayout(form);
    layout->addWidget(warning);
    layout->addLayout(buttons);
    layout->addWidget(bar);
    layout->addWidget(message);
    frame->setMinimumWidth(268);
    return frame;
}

QWidget* BenchView::buildCharts(QWidget* panel)
{
    auto* charts = splitter(Qt::Horizontal, panel, "benchCharts", 6);
    speed = new BenchChart(
        QStringLiteral("benchSpeedChart"), tr("Tokens/s over context"), ValueKind::Rate,
        [](const BenchRow& row) { return row.tokensPerSecond; }, charts);
    memory = new BenchChart(
        QStringLiteral("benchMemoryChart"), tr("Peak memory over context"), ValueKind::Bytes,
        [](const BenchRow& row) { return double(row.peakBytes); }, charts);
    for (auto* chart : { speed, memory }) {
        chart->setMinimumSize(180, 150);
        chart->setToolTip(tr("Left and Right read the values; the menu exports PNG, SVG, PDF and CSV."));
        charts->addWidget(chart);
    }
    charts->setSizes({ 500, 500 });
    return charts;
}

QWidget* BenchView::buildResults(QWidget* panel)
{
    auto* box = new QWidget(panel);
    auto* layout = new QVBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    auto* head = new QHBoxLayout;
    past = new QComboBox(box);
    past->setObjectName(QStringLiteral("benchPast"));
    past->setAccessibleName(tr("Measurement shown"));
    past->setToolTip(tr("Measurements of this machine, newest first"));
    past->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    past->setMinimumContentsLength(20);
    machine = new ElidedLabel(box, {}, "small");
    machine->setObjectName(QStringLiteral("benchMachine"));
    csv = toolButton(box, "benchCsv", tr("Export CSV\u2026"), tr("Save the rows shown with full precision"));
    forget = toolButton(box, "benchForget", tr("Remove"), tr("Remove the measurement shown from the list"));
    head->addWidget(caption(box, tr("S&hown"), past));
    head->addWidget(past, 3);
    head->addWidget(machine, 1);
    head->addWidget(csv);
    head->addWidget(forget);
    table = new RowsTable(box);
    table->setObjectName(QStringLiteral("benchTable"));
    table->setAccessibleName(tr("Measured rows"));
    table->setToolTip(
        tr("Spread: largest minus smallest repeat, as a share of the median. Of GEMM: arithmetic rate as a "
           "share of this machine's own matrix product. Of memory: what a step must read, as a share of what this "
           "machine's memory gives. mJ a token: energy, where the device counts it."));
    styleTable(table);
    makeCopyable(table);
    table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    auto* rows = splitter(Qt::Vertical, box, "benchRows");
    rows->addWidget(buildCharts(rows));
    auto* frame = new QFrame(rows);
    card(frame)->addWidget(table);
    rows->addWidget(frame);
    rows->setStretchFactor(0, 3);
    rows->setStretchFactor(1, 2);
    layout->addLayout(head);
    layout->addWidget(rows, 1);
    return box;
}

void BenchView::showMeasurement(const Measurement& m)
{
    constexpr int energyColumn = 5; // before what a narrow table leaves out first
    speed->setRows(m.rows);
    memory->setRows(m.rows);
    const auto decodes = [](const BenchRow& row) { return row.mode == "decode"; };
    const bool memoryBound = std::any_of(m.rows.begin(), m.rows.end(), decodes); // a measurement has one mode
    const bool energy =
        std::any_of(m.rows.begin(), m.rows.end(), [](const BenchRow& row) { return row.joulesPerToken > 0; });
    QStringList heads { tr("Preset"), tr("Context"), tr("Tokens/s"), tr("Peak memory"), tr("Spread"),
        memoryBound ? tr("Of memory") : tr("Of GEMM"), tr("GFLOP/s"), tr("Batch"), tr("Parameters") };
    if (energy) heads.insert(energyColumn, tr("mJ a token"));
    const auto numbers = heads.size(); // what follows are words
    heads << tr("What") << tr("Precision") << tr("Device");
    table->setColumnCount(int(heads.size()));
    table->setHorizontalHeaderLabels(heads);
    const auto sideOf = [&](int column) { // numbers end at the right
        return (column >= 1 && column < numbers ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter;
    };
    for (int column = 0; column < heads.size(); ++column)
        table->horizontalHeaderItem(column)->setTextAlignment(sideOf(column));
    table->setRowCount(int(m.rows.size()));
    for (int r = 0; r < table->rowCount(); ++r) {
        const auto& row = m.rows[std::size_t(r)];
        QStringList cells { fromUtf8(row.preset), formatCount(row.context),
            formatCount(std::int64_t(row.tokensPerSecond)), formatBytes(double(row.peakBytes)),
            QString::number(100 * row.spread, 'f', 1) + QStringLiteral(" %"),
            formatPercent(decodes(row) ? row.readShare : row.gemmShare), formatFixed(row.flopsPerSecond / 1e9, 1),
            formatCount(row.batch), formatCount(row.parameters) };
        if (energy)
            cells.insert(energyColumn, row.joulesPerToken > 0 ? formatNumber(1e3 * row.joulesPerToken, 3) : QString());
        cells << fromUtf8(row.mode) << fromUtf8(row.precision) << fromUtf8(row.device);
        QStringList lines;
        for (int column = 0; column < cells.size(); ++column) lines << heads[column] + u' ' + cells[column];
        for (int column = 0; column < cells.size(); ++column) {
            auto* item = new QTableWidgetItem(cells[column]);
            item->setTextAlignment(sideOf(column));
            item->setToolTip(plainToolTip(lines.join(u'\n')));
            table->setItem(r, column, item);
        }
    }
    auto* rows = static_cast<RowsTable*>(table);
    rows->setWords(int(numbers));
    rows->fit();
    QStringList about;
    for (auto column = int(numbers) + 1; column < table->columnCount(); ++column) // "What" stands in the title
        if (!m.rows.empty() && rows->alike(column)) about << table->item(0, column)->text();
    about << m.machine;
    if (m.disturbed) about << tr("something trained meanwhile");
    machine->setText(about.join(QStringLiteral(", ")));
    machine->setToolTip(plainToolTip(machine->text()));
    paintSwatches();
}

void BenchView::paintSwatches()
{
    QStringList curves; // in the order of the curves
    for (int row = 0; row < table->rowCount(); ++row) {
        auto* item = table->item(row, 0);
        if (!curves.contains(item->text())) curves << item->text();
        item->setData(Qt::DecorationRole, Theme::instance().colours().run(int(curves.indexOf(item->text()))));
    }
}

} // namespace pha::ui
