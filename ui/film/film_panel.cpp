// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/film/film_panel.h"

#include "engine/run/fork_point.h"
#include "ui/charts/mixing_bars.h"
#include "ui/charts/time_plot.h"
#include "ui/controls/controls.h"
#include "ui/controls/token_view.h"
#include "ui/film/film_slider.h"
#include "ui/format.h"
#include "ui/inspect/look_legend.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QAbstractButton>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QKeyEvent>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QToolButton>

#include <algorithm>

namespace pha::ui {

namespace {

/// When a run that trains and has written none will write samples.
QString nextSamples(const RunSession& session)
{
    const auto every = session.file().config.training.sampleEvery;
    if (every <= 0) return FilmPanel::tr("This run writes one sample, after its last update (sample_every is 0)");
    const auto parent = RunParent::of(session.file());
    if (parent && parent->step > 0) // only update 0 has a sample before it
        return every == 1
            ? FilmPanel::tr("A fork writes a sample after each update, none before its first")
            : FilmPanel::tr("A fork writes a sample every %1 updates, none before its first").arg(formatCount(every));
    return every == 1 ? FilmPanel::tr("The first sample comes as the training begins, then one after each update")
                      : FilmPanel::tr("The first sample comes as the training begins, then one every %1 updates")
                            .arg(formatCount(every));
}

constexpr int frameTimes[] = { 1600, 800, 300 }; ///< milliseconds, in the order of the box

} // namespace

FilmPanel::FilmPanel(QWidget* parent)
    : QWidget(parent)
    , askForFile([](QWidget* over, const QString& suggestion) {
        return QFileDialog::getSaveFileName(
            over, tr("Save film"), suggestion, tr("Pages for a browser (*.html);;CSV files (*.csv)"));
    })
    , v_(this)
{
    setObjectName(QStringLiteral("filmPanel"));
    setAccessibleName(tr("Film"));
    connectControls();
    refresh();
}

void FilmPanel::connectControls()
{
    connect(v_.slider, &QSlider::valueChanged, this, &FilmPanel::showFrame);
    connect(v_.play, &QToolButton::clicked, this, &FilmPanel::togglePlay);
    connect(&player_, &QTimer::timeout, this, [this] {
        go(frame_ + 1);
        if (frame_ + 1 >= frames()) setPlaying(false);
    });
    connect(v_.speed, &QComboBox::currentIndexChanged, this, [this](int i) { player_.setInterval(frameTimes[i]); });
    player_.setInterval(frameTimes[1]);
    connect(v_.tint, &QComboBox::currentIndexChanged, this, [this](int mode) {
        v_.text->setTint(TintMode(mode));
        v_.tintLegend->refresh();
    });
    connect(v_.copy, &QPushButton::clicked, this, [this] {
        QApplication::clipboard()->setText(v_.text->text());
        v_.message->say(tr("Copied."));
    });
    connect(v_.save, &QPushButton::clicked, this, &FilmPanel::save);
    connect(v_.curve, &TimePlot::cursorLeft, this, [this] {
        if (frame_ >= 0 && frame_ < frames()) v_.curve->setCursor(double(rows().samples[std::size_t(frame_)].step));
    });
    v_.curve->setBoundsSource([this](double& from, double& to) { // marks from before the first evaluation are in sight
        const auto all = rows();
        if (all.samples.empty()) return false;
        from = 0;
        to = std::max(1., double(all.samples.back().step));
        if (!all.evals.empty()) to = std::max(to, double(all.evals.back().step));
        return true;
    });
    connect(&Theme::instance(), &Theme::changed, this, [this] { draw(); }); // the legend's colours
}

FilmRows FilmPanel::rows() const
{
    if (!session_) return {};
    const auto& h = session_->history();
    return { h.samples, h.evals, h.mixing, h.step, h.loss };
}

int FilmPanel::frames() const { return int(rows().samples.size()); }

void FilmPanel::setSession(RunSession* session)
{
    if (session == session_ && session) return;
    if (session_) session_->disconnect(this);
    session_ = session;
    generation_ = -1;
    following_ = true;
    v_.message->say({});
    setPlaying(false);
    if (session) {
        connect(session, &RunSession::changed, this, &FilmPanel::refresh);
        connect(session, &RunSession::stateChanged, this, &FilmPanel::refresh);
    }
    refresh();
}

void FilmPanel::refresh()
{
    const auto generation = session_ ? session_->history().generation : -2;
    if (generation != generation_) {
        generation_ = generation;
        evalRow_ = 0;
        frame_ = -1;
        following_ = true;
        v_.curve->clearPoints(v_.valid);
    }
    if (!isVisible()) return; // showEvent() comes back here
    const int n = frames();
    v_.pages->setCurrentIndex(n > 0 ? 1 : 0);
    if (n == 0) {
        frame_ = -1; // a recording also goes back to before its first sample
        return showEmpty();
    }
    growCurve();
    if (v_.slider->maximum() != n - 1) {
        const QSignalBlocker quiet(v_.slider);
        v_.slider->setRange(0, n - 1);
    }
    if (frame_ < 0 || frame_ >= n || (following_ && frame_ != n - 1)) go(n - 1);
}

void FilmPanel::showEmpty()
{
    v_.empty.title->setText(session_ ? tr("No samples yet") : tr("No run is selected"));
    v_.empty.text->setText(!session_ ? tr("Select a run to watch how its text gets better while it learns.")
            : !session_->active()    ? tr("This run has written no samples.")
                                     : tr("%1; %2").arg(nextSamples(*session_), tr("Ctrl+Shift+T writes one now.")));
}

void FilmPanel::growCurve()
{
    const auto all = rows();
    const auto before = evalRow_;
    if (evalRow_ > all.evals.size()) { // of a recording that has gone back
        evalRow_ = all.evals.size();
        v_.curve->truncate(v_.valid, int(std::count_if(all.evals.begin(), all.evals.end(), isValidation)));
    }
    for (; evalRow_ < all.evals.size(); ++evalRow_)
        if (const auto& e = all.evals[evalRow_]; isValidation(e)) v_.curve->append(v_.valid, double(e.step), e.nll);
    v_.curve->setEmptyText(v_.curve->count(v_.valid) > 0 ? QString() : tr("No evaluations yet"));
    if (evalRow_ != before) v_.curve->requestRedraw();
}

void FilmPanel::go(int frame)
{
    const int n = frames();
    if (n == 0) return;
    frame_ = std::clamp(frame, 0, n - 1);
    following_ = frame_ == n - 1;
    const QSignalBlocker quiet(v_.slider);
    v_.slider->setRange(0, n - 1);
    v_.slider->setValue(frame_);
    v_.slider->update();
    draw();
}

void FilmPanel::showFrame(int frame)
{
    setPlaying(false);
    go(frame);
}

void FilmPanel::draw()
{
    if (frame_ < 0 || frame_ >= frames()) return;
    const auto shown = filmFrame(rows(), std::size_t(frame_));
    drawText(*shown.sample);
    drawFigures(shown);
    drawMix(shown);
    v_.curve->setCursor(double(shown.sample->step));
    v_.curve->requestRedraw();
}

void FilmPanel::drawText(const SampleEvent& sample)
{
    QVector<GeneratedToken> list;
    GeneratedToken token;
    token.prompt = true;
    token.text = sample.prompt;
    list << token;
    token.prompt = false;
    for (const auto& t : sample.tokens) {
        token.text = t.text;
        token.probability = t.probability;
        token.entropy = t.entropy;
        token.alternatives = { { 0, t.text, t.probability } }; // of all that it might have been, itself is known
        list << token;
    }
    if (sample.tokens.empty()) { // of an older run: the text alone
        token.text = sample.text;
        list << token;
    }
    v_.text->setTokens(list);
}

void FilmPanel::drawFigures(const FilmFrame& shown)
{
    const auto step = shown.sample->step;
    v_.now->setText(tr("step %1 \u00b7 %2 of %3").arg(formatCount(step)).arg(frame_ + 1).arg(frames()));
    v_.slider->setAccessibleDescription(v_.now->text());
    QStringList parts;
    if (shown.loss) parts << tr("loss %1").arg(formatFixed(*shown.loss, 3));
    if (shown.valid) {
        auto text = tr("validation %1, perplexity %2")
                        .arg(formatFixed(shown.valid->nll, 3), formatFixed(shown.valid->perplexity, 2));
        if (shown.valid->step != step) text += tr(" (of step %1)").arg(formatCount(shown.valid->step));
        parts << text;
    }
    if (const auto surprise = meanSurprise(*shown.sample))
        parts << tr("surprise %1 nats a token").arg(formatFixed(*surprise, 2));
    v_.figures->setText(parts.join(QStringLiteral("  \u00b7  ")));
    v_.figures->setToolTip(plainToolTip(v_.figures->text()));
}

void FilmPanel::drawMix(const FilmFrame& shown)
{
    const auto layers = shown.mixing ? shown.mixing->layers : std::vector<LayerMix>();
    v_.bars->setLayers(layers);
    v_.bars->setQuantity(v_.bars->mixed() ? MixQuantity::Share : MixQuantity::Contribution);
    const auto title = v_.bars->mixed() ? tr("Branch mix") : tr("Parts of the layers");
    v_.mixTitle->setText(
        shown.mixing ? tr("%1, step %2").arg(title, formatCount(shown.mixing->step)) : tr("No mixing weights yet"));
    QVector<LookLegend::Entry> entries;
    for (const auto& branch : summarise(layers, MixQuantity::Share).branches)
        entries << LookLegend::Entry { branch, Theme::instance().colours().branch(branch) };
    v_.mixLegend->setEntries(entries);
}

void FilmPanel::setPlaying(bool on)
{
    if (on)
        player_.start();
    else
        player_.stop();
    v_.play->setIcon(icon(on ? QStringLiteral("pause") : QStringLiteral("play")));
    v_.play->setAccessibleName(on ? tr("Pause") : tr("Play"));
}

void FilmPanel::togglePlay()
{
    if (player_.isActive()) return setPlaying(false);
    if (frames() < 2) return;
    if (frame_ + 1 >= frames()) go(0);
    setPlaying(true);
}

void FilmPanel::focusSlider() { v_.slider->setFocus(Qt::ShortcutFocusReason); }

void FilmPanel::save()
{
    if (frames() == 0) return;
    // Before the question: an import or a replay that ends while it stands selects another run.
    const auto page = filmPage(session_->name().toStdString(), rows()), table = filmTable(rows());
    const auto path = askForFile(this, QStringLiteral("film.html"));
    if (path.isEmpty()) return;
    const bool asTable = path.endsWith(QStringLiteral(".csv"), Qt::CaseInsensitive);
    v_.message->save(path, QByteArray::fromStdString(asTable ? table : page));
}

bool FilmPanel::event(QEvent* event)
{
    if (event->type() == QEvent::ShortcutOverride && frames() > 0) { // here Space plays, instead of pausing the run
        const auto* key = static_cast<QKeyEvent*>(event);
        if (key->key() == Qt::Key_Space && key->modifiers() == Qt::NoModifier) {
            event->accept();
            return true;
        }
    }
    return QWidget::event(event);
}

void FilmPanel::keyPressEvent(QKeyEvent* event)
{
    if (frames() == 0 || event->modifiers() & ~Qt::KeypadModifier) return QWidget::keyPressEvent(event);
    switch (event->key()) {
    case Qt::Key_Space:
        return togglePlay();
    case Qt::Key_Left:
        return showFrame(frame_ - 1);
    case Qt::Key_Right:
        return showFrame(frame_ + 1);
    case Qt::Key_Home:
        return showFrame(0);
    case Qt::Key_End:
        return showFrame(frames() - 1);
    default:
        QWidget::keyPressEvent(event);
    }
}

void FilmPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    refresh();
}

void FilmPanel::hideEvent(QHideEvent* event)
{
    QWidget::hideEvent(event);
    setPlaying(false);
}

} // namespace pha::ui
