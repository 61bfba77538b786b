// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/playground_panel.h"

#include "ui/controls/controls.h"
#include "ui/controls/panel_keys.h"
#include "ui/controls/proposed_prompt.h"
#include "ui/controls/token_view.h"
#include "ui/look/theme.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/playground/playground_private.h"
#include "ui/playground/sampling_form.h"
#include "ui/playground/token_popup.h"

#include <QClipboard>
#include <QComboBox>
#include <QGuiApplication>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QTabWidget>

namespace pha::ui {

PlaygroundPanel::Private::Private(PlaygroundPanel* panel, std::function<Engine&()> engine)
    : q(panel)
    , v(panel)
    , blind(new BlindVote(panel))
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
    connect(v.weights, &QComboBox::currentIndexChanged, &guard, [this] {
        v.mixer->setLearned(v.weights->mixing());
        showState();
    });
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
    v.popup->setText(v.text);
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
        connect(s, &RunSession::stateChanged, &guard, [this] {
            mixingSeen = std::size_t(-1); // live weights may have given way to a checkpoint
            update();
            showState();
        });
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
    const auto sample = proposedPrompt(*session);
    const auto present = v.prompt->toPlainText();
    if (!sample.isEmpty() && sample != present && (present.isEmpty() || present == proposed)) {
        proposed = sample;
        v.prompt->setPlainText(sample);
    }
    if (v.generate->isEnabled() != canGenerate()) showState();
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
    if (d_->blind->waiting()) // a vote would count for the run that is selected now
        d_->blind->cancel(
            tr("Another run was selected: there is nothing to vote on. Generate (Ctrl+Enter) writes anew."));
    d_->rival->stop();
    d_->worker.release();
    d_->finish();
    d_->follow(session);
}

void PlaygroundPanel::generate()
{
    if (!d_->canGenerate()) { // the weights may have gone since the button was drawn
        d_->showState();
        return d_->v.message->say(d_->v.empty.text->text(), "warning");
    }
    const auto prompt = d_->v.prompt->toPlainText();
    if (prompt.isEmpty()) {
        d_->v.message->say(tr("The prompt is empty; type a few words to continue."), "warning");
        d_->v.prompt->setFocus();
        return;
    }
    d_->remember(prompt);
    auto options = d_->options();
    options.prompt = prompt.toStdString();
    d_->begin(options, {}, -1, {});
}

QString PlaygroundPanel::text() const { return d_->v.text->text(); }

void PlaygroundPanel::setRuns(RunListModel* runs) { d_->rival->setRuns(runs); }

const RunSession* PlaygroundPanel::rival() const { return d_->rival->session(); }

void PlaygroundPanel::stop()
{
    if (!busy()) return;
    d_->blind->cancel(tr("Stopped: there is nothing to vote on. Generate (Ctrl+Enter) writes anew."));
    d_->rival->stop();
    d_->worker.stop();
    d_->finish();
    d_->v.message->say(tr("Stopped."));
}

bool PlaygroundPanel::busy() const { return d_->writing || d_->rival->writing(); }

void PlaygroundPanel::undo() { d_->step(&GenerationHistory::undo); }
void PlaygroundPanel::redo() { d_->step(&GenerationHistory::redo); }

bool PlaygroundPanel::event(QEvent* event)
{
    return claimPanelKey(event, d_ && (d_->writing || d_->v.popup->isVisible())) || QWidget::event(event);
}

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

void PlaygroundPanel::hideEvent(QHideEvent* event)
{
    QWidget::hideEvent(event);
    if (d_ && !event->spontaneous()) d_->v.popup->dismiss(); // or it would come back with the panel
}

void PlaygroundPanel::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    if (!d_) return;
    d_->v.popup->dismiss();
    d_->makeRoom();
}

} // namespace pha::ui
