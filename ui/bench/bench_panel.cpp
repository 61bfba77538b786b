// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bench/bench_panel.h"

#include "ui/bench/bench_chart.h"
#include "ui/bench/bench_store.h"
#include "ui/bench/bench_view.h"
#include "ui/bench/bench_worker.h"
#include "ui/controls/controls.h"
#include "ui/controls/panel_keys.h"
#include "ui/format.h"

#include <QComboBox>
#include <QDateTime>
#include <QFileDialog>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QToolButton>

#include <algorithm>

namespace pha::ui {

class BenchPanel::Private {
public:
    Private(BenchPanel* panel, fs::path file, RunController::OpenEngine engine);

    /// What the controls ask for; nothing, with a word about it, if that makes no sense.
    std::optional<BenchRequest> request();
    void start();
    void receive(const BenchRow& row);
    void finish(bool stopped, const EngineInfo& machine);
    void fillPast();
    void showPast();
    void showProgress();
    void showState();
    void save();

    BenchPanel* q;
    QObject guard; ///< what connections to this object live as long as
    BenchView v;
    BenchStore store;
    Measurement present; ///< being measured
    BenchRequest asked;
    QString disturbance;
    BenchWorker worker; ///< last: stops before the rest goes
};

BenchPanel::Private::Private(BenchPanel* panel, fs::path file, RunController::OpenEngine engine)
    : q(panel)
    , v(panel)
    , store(std::move(file))
    , worker(std::move(engine))
{
    connect(v.run, &QPushButton::clicked, q, &BenchPanel::run);
    connect(v.stop, &QPushButton::clicked, q, &BenchPanel::stop);
    connect(v.csv, &QToolButton::clicked, &guard, [this] { save(); });
    connect(v.forget, &QToolButton::clicked, &guard, [this] {
        if (const auto problem = store.remove(v.past->currentIndex()); !problem.isEmpty())
            v.message->say(problem, "error");
        fillPast();
    });
    connect(v.past, &QComboBox::currentIndexChanged, &guard, [this] { showPast(); });
    connect(v.filter, &QLineEdit::textChanged, &guard, [this](const QString& text) {
        for (int i = 0; i < v.presets->count(); ++i) {
            const auto name = v.presets->item(i)->text();
            const auto words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
            v.presets->item(i)->setHidden(!std::all_of(words.begin(), words.end(),
                [&name](const QString& word) { return name.contains(word, Qt::CaseInsensitive); }));
        }
    });
    connect(&worker, &BenchWorker::busyChanged, &guard, [this] { showState(); });
    connect(&worker, &BenchWorker::measured, &guard, [this](const BenchRow& row) { receive(row); });
    connect(&worker, &BenchWorker::finished, &guard,
        [this](bool stopped, const EngineInfo& machine) { finish(stopped, machine); });
    connect(&worker, &BenchWorker::failed, &guard, [this](const QString& text) {
        finish(true, {});
        v.message->say(text, "error");
    });
    const auto problem = store.load();
    if (!problem.isEmpty()) v.message->say(problem, "warning");
    fillPast();
    showState();
}

std::optional<BenchRequest> BenchPanel::Private::request()
{
    BenchRequest r;
    const auto refuse = [this](const QString& text) {
        v.message->say(text, "error");
        return std::nullopt;
    };
    for (int i = 0; i < v.presets->count(); ++i)
        if (const auto* item = v.presets->item(i); item->checkState() == Qt::Checked)
            r.presets.push_back(item->data(Qt::UserRole).toString().toStdString());
    if (r.presets.empty()) return refuse(tr("No preset is ticked; tick at least one."));
    for (const auto& part : v.contexts->text().split(QLatin1Char(','), Qt::SkipEmptyParts)) {
        bool fine = false;
        const auto context = part.trimmed().toLongLong(&fine);
        if (!fine || context < 2 || context > 1 << 20)
            return refuse(tr("\"%1\" is no context length; expected whole numbers from 2 to 1,048,576, separated by "
                             "commas.")
                              .arg(part.trimmed()));
        r.contexts.push_back(context);
    }
    if (r.contexts.empty()) return refuse(tr("A context length is missing, for example 256, 1024."));
    std::sort(r.contexts.begin(), r.contexts.end()); // short ones first: something to see soon
    r.contexts.erase(std::unique(r.contexts.begin(), r.contexts.end()), r.contexts.end());
    r.mode = v.mode->currentText().toStdString();
    r.batchTokens = v.batchTokens->value();
    r.decodeBatch = v.decodeBatch->value();
    r.repeats = v.repeats->value();
    return r;
}

void BenchPanel::Private::start()
{
    const auto wanted = request();
    if (!wanted || !worker.start(*wanted)) return;
    asked = *wanted;
    present = {};
    present.when = QDateTime::currentDateTimeUtc().toString(Qt::ISODate);
    present.disturbed = !disturbance.isEmpty();
    v.showMeasurement(present);
    showProgress();
}

void BenchPanel::Private::receive(const BenchRow& row)
{
    present.rows.push_back(row);
    present.disturbed |= !disturbance.isEmpty();
    v.showMeasurement(present);
    showProgress();
}

void BenchPanel::Private::showProgress()
{
    const auto all = asked.presets.size() * asked.contexts.size(), done = present.rows.size();
    v.bar->setRange(0, int(all));
    v.bar->setValue(int(done));
    if (done >= all || worker.stopping()) return;
    v.message->say(tr("Measuring %1 at context %2 (%3 of %4)\u2026")
                       .arg(fromUtf8(asked.presets[done % asked.presets.size()]),
                           formatCount(asked.contexts[done / asked.presets.size()]))
                       .arg(done + 1)
                       .arg(all),
        "small");
}

void BenchPanel::Private::finish(bool stopped, const EngineInfo& machine)
{
    v.message->say(stopped ? counted(std::int64_t(present.rows.size()), tr("Stopped. %1 row is kept."),
                       tr("Stopped. %1 rows are kept."))
                                 .arg(present.rows.size())
                           : tr("Done."));
    if (!present.rows.empty()) {
        if (!machine.libtorch.empty())
            present.machine =
                counted(machine.threads, tr("LibTorch %1, %2, %3 thread"), tr("LibTorch %1, %2, %3 threads"))
                    .arg(fromUtf8(machine.libtorch), fromUtf8(machine.cpuCapability))
                    .arg(machine.threads);
        if (const auto problem = store.add(std::exchange(present, {})); !problem.isEmpty())
            v.message->say(problem, "error");
    }
    fillPast();
    showState();
}

void BenchPanel::Private::fillPast()
{
    {
        const QSignalBlocker quiet(v.past);
        v.past->clear();
        for (const auto& measurement : store.all()) v.past->addItem(measurement.title());
        if (store.all().empty()) v.past->addItem(tr("Nothing was measured yet"));
        v.past->setCurrentIndex(0);
    }
    showPast();
}

void BenchPanel::Private::showPast()
{
    const int i = v.past->currentIndex();
    v.showMeasurement(i >= 0 && i < int(store.all().size()) ? store.all()[std::size_t(i)] : Measurement {});
}

void BenchPanel::Private::showState()
{
    const bool busy = worker.busy(), any = !store.all().empty();
    v.run->setEnabled(!busy);
    v.stop->setEnabled(busy && !worker.stopping());
    v.bar->setVisible(busy);
    v.past->setEnabled(any && !busy);
    v.csv->setEnabled(any && !busy);
    v.forget->setEnabled(any && !busy);
    if (worker.stopping()) v.message->say(tr("Stopping after this repeat\u2026"));
}

void BenchPanel::Private::save()
{
    const int i = v.past->currentIndex();
    if (i < 0 || i >= int(store.all().size())) return;
    const auto path = q->askForFile(q);
    if (!path.isEmpty()) v.message->save(path, store.all()[std::size_t(i)].csv().toUtf8());
}

BenchPanel::BenchPanel(fs::path file, RunController::OpenEngine engine, QWidget* parent)
    : QWidget(parent)
    , askForFile([](QWidget* over) {
        return QFileDialog::getSaveFileName(
            over, tr("Export"), QStringLiteral("benchmark.csv"), tr("CSV files (*.csv)"));
    })
{
    setObjectName(QStringLiteral("benchPanel"));
    setAccessibleName(tr("Benchmark"));
    d_ = std::make_unique<Private>(this, std::move(file), std::move(engine));
}

BenchPanel::~BenchPanel() = default;

void BenchPanel::setDisturbed(const QString& reason)
{
    d_->disturbance = reason;
    d_->v.warning->setText(reason);
    d_->v.warning->setVisible(!reason.isEmpty());
}

void BenchPanel::run() { d_->start(); }
void BenchPanel::stop() { d_->worker.stop(); }
bool BenchPanel::busy() const { return d_->worker.busy(); }

bool BenchPanel::shutDown(std::chrono::milliseconds patience)
{
    // Nobody is there any more to hear how it ended, or that the file could not be written.
    if (!d_->present.rows.empty()) d_->store.add(std::exchange(d_->present, {}));
    return d_->worker.shutDown(patience);
}

void BenchPanel::exportImage()
{
    auto* chart = d_->v.memory->hasFocus() ? d_->v.memory : d_->v.speed;
    chart->askAndExport(QStringLiteral("png"));
}

bool BenchPanel::event(QEvent* event) { return claimPanelKey(event, d_ && d_->worker.busy()) || QWidget::event(event); }

void BenchPanel::keyPressEvent(QKeyEvent* event)
{
    if (isRunKey(*event))
        run();
    else if (event->key() == Qt::Key_Escape && d_->worker.busy())
        stop();
    else
        QWidget::keyPressEvent(event);
}

} // namespace pha::ui
