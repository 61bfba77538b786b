// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/playground_panel.h"

#include "ui/format.h"
#include "ui/panels/branch_mixer.h"
#include "ui/panels/panel_keys.h"
#include "ui/panels/playground_private.h"
#include "ui/panels/sampling_form.h"
#include "ui/panels/token_popup.h"
#include "ui/panels/token_view.h"
#include "ui/theme.h"

#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QStackedWidget>
#include <QTabWidget>

namespace pha::ui {

namespace {
constexpr auto promptsKey = "playground/prompts";
constexpr int promptsKept = 20;
} // namespace

PlaygroundPanel::Private::Private(PlaygroundPanel* panel, std::function<Engine&()> engine)
    : q(panel)
    , v(panel)
    , rival(new RivalView(engine, panel))
    , worker(nullptr, std::move(engine))
{
    hidePopup.setSingleShot(true);
    hidePopup.setInterval(250); // time to move the pointer from the token to the list
    connectControls();
    connectWorker();
    connectDuel();
    for (auto* w : { static_cast<QWidget*>(v.prompt), static_cast<QWidget*>(v.text) }) w->installEventFilter(q);
}

void PlaygroundPanel::Private::connectControls()
{
    connect(v.generate, &QPushButton::clicked, q, &PlaygroundPanel::generate);
    connect(v.stop, &QPushButton::clicked, q, &PlaygroundPanel::stop);
    connect(v.carryOn, &QPushButton::clicked, &guard, [this] { regrow(int(v.text->tokens().size()), nullptr); });
    connect(v.undo, &QPushButton::clicked, q, &PlaygroundPanel::undo);
    connect(v.redo, &QPushButton::clicked, q, &PlaygroundPanel::redo);
    connect(v.copy, &QPushButton::clicked, &guard, [this] { QGuiApplication::clipboard()->setText(v.text->text()); });
    connect(v.tint, &QComboBox::currentIndexChanged, &guard, [this](int index) {
        v.text->setTint(TintMode(index));
        v.legend->refresh();
    });
    connect(&Theme::instance(), &Theme::changed, v.legend, [this] { v.legend->refresh(); });
    connect(v.promptMenu, &QMenu::aboutToShow, &guard, [this] { fillPromptMenu(); });
    connect(v.prompt, &QPlainTextEdit::textChanged, &guard, [this] {
        if (v.prompt->toPlainText() != proposed) proposed = QString();
    });
    connect(v.mixer, &BranchMixer::changed, &guard, [this] {
        const auto n = v.mixer->changes().size();
        v.tabs->setTabText(1, n == 0 ? tr("Mixer") : tr("Mixer (%1)").arg(n));
    });
    connect(v.weights, &QComboBox::currentIndexChanged, &guard, [this] { v.mixer->setLearned(v.weights->mixing()); });
    connect(v.history, &QListWidget::itemActivated, &guard, [this](QListWidgetItem* item) { open(item); });
    connect(v.history, &QListWidget::itemClicked, &guard, [this](QListWidgetItem* item) { open(item); });

    connect(v.text, &TokenView::hovered, &guard, [this](int index) {
        if (v.popup->pinned()) return;
        if (index < 0) return hidePopup.start();
        hidePopup.stop();
        showPopup(index);
    });
    connect(v.text, &TokenView::chosen, &guard, [this](int index, bool byKeyboard) {
        hidePopup.stop();
        v.popup->setPinned(true, false);
        showPopup(index);
        v.popup->setPinned(true, byKeyboard);
    });
    connect(v.text, &TokenView::currentChanged, &guard, [this](int index) {
        if (v.popup->pinned()) v.popup->dismiss();
        describe(index);
    });
    connect(&hidePopup, &QTimer::timeout, v.popup, &TokenPopup::dismiss);
    connect(v.popup, &TokenPopup::entered, &hidePopup, &QTimer::stop);
    connect(v.popup, &TokenPopup::left, &guard, [this] {
        if (!v.popup->pinned()) hidePopup.start();
    });
    connect(v.popup, &TokenPopup::dismissed, &guard, [this](bool hadFocus) {
        if (hadFocus) v.text->setFocus(Qt::OtherFocusReason);
    });
    connect(v.popup, &TokenPopup::chosen, &guard,
        [this](int index, const TokenAlternative& alternative) { regrow(index, &alternative); });
}

void PlaygroundPanel::Private::follow(RunSession* s)
{
    session = s;
    mixingSeen = std::size_t(-1);
    const auto shape = s ? mixShape(*s) : MixShape {};
    v.mixer->setShape(shape.layers, shape.branches, shape.present);
    v.mixer->setVisible(s);
    v.weights->setSession(s);
    rival->setOpponent(s);
    if (s) {
        connect(s, &RunSession::changed, &guard, [this] { update(); });
        connect(s, &RunSession::stateChanged, &guard, [this] { showState(); });
    }
    update();
    showState();
}

void PlaygroundPanel::Private::update()
{
    if (!session) return;
    const auto& past = session->history();
    if (const auto seen = past.mixing.size(); seen != mixingSeen) {
        mixingSeen = seen;
        if (v.mixer->branches().isEmpty()) {
            const auto shape = mixShape(*session);
            v.mixer->setShape(shape.layers, shape.branches, shape.present);
        }
        v.mixer->setLearned(v.weights->mixing());
    }
    // A prompt is proposed as long as the user has not typed one.
    auto sample = fromUtf8(session->file().config.training.samplePrompt);
    if (sample.isEmpty() && !past.samples.empty()) sample = fromUtf8(past.samples.back().prompt);
    const auto present = v.prompt->toPlainText();
    if (!sample.isEmpty() && sample != present && (present.isEmpty() || present == proposed)) {
        proposed = sample;
        v.prompt->setPlainText(sample);
    }
    if (v.generate->isEnabled() != canGenerate()) showState();
}

void PlaygroundPanel::Private::showPopup(int index)
{
    const auto rect = v.text->tokenRect(index);
    if (rect.isEmpty()) return;
    v.popup->showToken(
        index, v.text->tokens()[index], QRect(v.text->viewport()->mapTo(q, rect.topLeft()), rect.size()));
}

void PlaygroundPanel::Private::describe(int index)
{
    if (index < 0) return showFigures();
    const auto& t = v.text->tokens()[index];
    const auto text = t.alternatives.empty()
        ? tr("Token %1: %2").arg(index + 1).arg(visibleToken(t.text))
        : tr("Token %1: %2, probability %3 %, entropy %4 nats. Enter shows alternatives.")
              .arg(QString::number(index + 1), visibleToken(t.text), formatFixed(100 * t.probability, 1),
                  formatFixed(t.entropy, 2));
    v.figures->setText(text);
    v.text->setAccessibleDescription(text);
}

void PlaygroundPanel::Private::showFigures()
{
    const auto w = history.current();
    QStringList parts;
    if (w) {
        const int all = int(v.text->tokens().size());
        const int given = w->given < 0 ? all : std::min(w->given, all);
        parts << tr("%1 tokens").arg(formatCount(all - given)) << tr("prompt %1").arg(formatCount(given));
        const bool measured = w->complete && !writing;
        const double rate = measured                              ? w->figures.tokensPerSecond
            : writing && clock.isValid() && clock.elapsed() > 100 ? 1000.0 * (all - given) / double(clock.elapsed())
                                                                  : 0;
        if (rate > 0) parts << tr("%1 tokens/s").arg(formatFixed(rate, rate < 100 ? 1 : 0));
        if (measured) {
            parts << tr("first token after %1 s").arg(formatFixed(w->figures.firstTokenSeconds, 2))
                  << tr("state %1").arg(formatBytes(double(w->figures.stateBytes)));
        } else if (!writing && all > 0) {
            parts << tr("stopped");
        }
        parts << tr("seed %1").arg(w->sampling.seed) << describeWeights(w->weights);
        if (!w->origin.isEmpty()) parts << w->origin;
        if (!w->mix.empty()) parts << describeMix(w->mix);
    }
    const auto text = parts.join(QStringLiteral("  \u00b7  "));
    v.figures->setText(text);
    v.figures->setToolTip(plainToolTip(text));
}

void PlaygroundPanel::Private::showHistory()
{
    const QSignalBlocker quiet(v.history);
    v.history->clear();
    v.historyEmpty->setVisible(history.all().empty());
    for (auto w = history.all().rbegin(); w != history.all().rend(); ++w) {
        const bool present = *w == history.current() && writing;
        auto* item = new QListWidgetItem(present ? tr("#%1  writing...").arg((*w)->number) : (*w)->title(), v.history);
        item->setData(Qt::UserRole, (*w)->number);
        QStringList lines { tr("%1, seed %2").arg(describeWeights((*w)->weights)).arg((*w)->sampling.seed) };
        if (!(*w)->origin.isEmpty()) lines << (*w)->origin;
        if (!(*w)->mix.empty()) lines << describeMix((*w)->mix);
        item->setToolTip(plainToolTip(lines.join(QLatin1Char('\n'))));
        if (*w == history.current()) v.history->setCurrentItem(item);
    }
}

void PlaygroundPanel::Private::showState()
{
    const bool can = canGenerate(), text = !v.text->tokens().isEmpty();
    v.generate->setEnabled(can);
    v.stop->setEnabled(writing || rival->writing());
    v.carryOn->setEnabled(can && text && !writing);
    v.copy->setEnabled(text);
    v.undo->setEnabled(history.canUndo());
    v.redo->setEnabled(history.canRedo());
    v.pages->setCurrentIndex(text || writing ? 1 : 0);
    v.emptyTitle->setText(can ? tr("Nothing written yet") : session ? tr("No weights yet") : tr("No network yet"));
    v.emptyText->setText(can
            ? tr("Type a prompt and press Ctrl+Enter. Every token shows how sure the network was of it.")
            : session
            ? tr("This run has no checkpoint. Start or resume its training; then type a prompt and press Ctrl+Enter.")
            : tr("Train a run or open one; then type a prompt and press Ctrl+Enter."));
}

void PlaygroundPanel::Private::fillPromptMenu()
{
    v.promptMenu->clear();
    for (const auto& text : QSettings().value(QLatin1String(promptsKey)).toStringList()) {
        auto shown = singleLine(text).left(70);
        auto* action = v.promptMenu->addAction(shown.replace(QLatin1Char('&'), QLatin1String("&&")));
        connect(action, &QAction::triggered, q, [this, text] { v.prompt->setPlainText(text); });
    }
    if (v.promptMenu->isEmpty()) v.promptMenu->addAction(tr("None yet"))->setEnabled(false);
}

void PlaygroundPanel::Private::remember(const QString& prompt)
{
    QSettings settings;
    auto all = settings.value(QLatin1String(promptsKey)).toStringList();
    all.removeAll(prompt);
    all.prepend(prompt.left(10'000));
    settings.setValue(QLatin1String(promptsKey), QStringList(all.mid(0, promptsKept)));
}

PlaygroundPanel::PlaygroundPanel(QWidget* parent, std::function<Engine&()> engine)
    : QWidget(parent)
{
    d_ = std::make_unique<Private>(this, std::move(engine)); // not earlier: building it sends events here
    setObjectName(QStringLiteral("playgroundPanel"));
    setAccessibleName(tr("Playground"));
    d_->follow(nullptr);
}

PlaygroundPanel::~PlaygroundPanel() = default;

void PlaygroundPanel::setSession(RunSession* session)
{
    if (session == d_->session && session) return;
    if (d_->session) disconnect(d_->session, nullptr, &d_->guard, nullptr);
    d_->worker.release();
    d_->finish();
    d_->follow(session);
}

void PlaygroundPanel::generate()
{
    if (!d_->canGenerate()) return;
    const auto prompt = d_->v.prompt->toPlainText();
    if (prompt.isEmpty()) {
        d_->v.showMessage(tr("The prompt is empty; type a few words to continue."), "warning");
        d_->v.prompt->setFocus();
        return;
    }
    d_->remember(prompt);
    auto options = d_->options();
    options.prompt = prompt.toStdString();
    d_->begin(options, {}, -1, {});
}

void PlaygroundPanel::setRuns(RunListModel* runs) { d_->rival->setRuns(runs); }

void PlaygroundPanel::stop()
{
    if (!d_->writing && !d_->rival->writing()) return;
    d_->rival->stop();
    d_->worker.stop();
    d_->finish();
    d_->v.showMessage(tr("Stopped."), "small");
}

void PlaygroundPanel::undo() { d_->step(&GenerationHistory::undo); }
void PlaygroundPanel::redo() { d_->step(&GenerationHistory::redo); }

bool PlaygroundPanel::event(QEvent* event) { return claimPanelKey(event, d_ && d_->writing) || QWidget::event(event); }

bool PlaygroundPanel::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::KeyPress || event->type() == QEvent::ShortcutOverride) {
        auto* key = static_cast<QKeyEvent*>(event);
        const bool inText = watched == d_->v.text;
        const bool undoKey = inText && key->matches(QKeySequence::Undo),
                   redoKey = inText && key->matches(QKeySequence::Redo);
        const bool closes = key->key() == Qt::Key_Escape && (d_->writing || d_->v.popup->isVisible());
        if (!isRunKey(*key) && !undoKey && !redoKey && !closes) return false;
        event->accept();
        if (event->type() == QEvent::ShortcutOverride) return true;
        if (undoKey)
            undo();
        else if (redoKey)
            redo();
        else
            keyPressEvent(key);
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

void PlaygroundPanel::keyPressEvent(QKeyEvent* event)
{
    if (isRunKey(*event))
        generate();
    else if (event->key() == Qt::Key_Escape && d_->v.popup->isVisible())
        d_->v.popup->dismiss();
    else if (event->key() == Qt::Key_Escape && d_->writing)
        stop();
    else
        QWidget::keyPressEvent(event);
}

void PlaygroundPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    d_->v.weights->refresh();
}

void PlaygroundPanel::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    if (!d_) return;
    d_->v.popup->dismiss();
    d_->makeRoom();
}

} // namespace pha::ui
