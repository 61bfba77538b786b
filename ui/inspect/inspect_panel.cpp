// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/inspect_panel.h"

#include "engine/base/text.h"
#include "ui/controls/controls.h"
#include "ui/controls/panel_keys.h"
#include "ui/controls/proposed_prompt.h"
#include "ui/controls/token_view.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/cost_pane.h"
#include "ui/inspect/head_table.h"
#include "ui/inspect/inspect_private.h"
#include "ui/inspect/lens_table.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/map_view.h"
#include "ui/inspect/push_table.h"
#include "ui/inspect/reach_table.h"
#include "ui/inspect/weight_pane.h"
#include "ui/look/theme.h"

#include <QBuffer>
#include <QComboBox>
#include <QFileDialog>
#include <QKeyEvent>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QTabWidget>

#include <utility>

namespace pha::ui {

namespace {

/// The token that is read at first: the last one, but for blanks and line ends after it.
int firstRead(const QVector<GeneratedToken>& tokens)
{
    auto at = int(tokens.size()) - 1;
    while (at > 0 && trim(tokens[at].text).empty()) --at;
    return at;
}

} // namespace

InspectPanel::Private::Private(InspectPanel* panel, std::function<Engine&()> engine)
    : q(panel)
    , v(panel, engine)
    , worker(nullptr, std::move(engine))
{
    connectControls();
    connectTokens();
    connectWorker();
    connectWeights();
    for (auto* w : { static_cast<QWidget*>(v.prompt), static_cast<QWidget*>(v.text) }) w->installEventFilter(q);
}

bool InspectPanel::Private::canLook() const { return session && v.weights->source().available; }

void InspectPanel::Private::follow(RunSession* s)
{
    session = s;
    v.weights->setSession(s);
    v.tensors->setSession(s);
    v.costs->setSession(s);
    v.message->say({});
    test.reset();
    show(nullptr); // what was seen belongs to another network
    if (s) {
        connect(s, &RunSession::changed, &guard, [this] { update(); });
        connect(s, &RunSession::stateChanged, &guard, [this] { showState(); });
    }
    update();
    showState();
}

void InspectPanel::Private::update()
{
    if (!session) return;
    const auto sample = proposedPrompt(*session);
    const auto present = v.prompt->toPlainText();
    if (!sample.isEmpty() && sample != present && (present.isEmpty() || present == proposed)) {
        proposed = sample;
        v.prompt->setPlainText(sample);
    }
    if (v.look->isEnabled() != canLook()) showState();
}

void InspectPanel::Private::takeOther()
{
    const auto text = otherText ? otherText() : QString();
    if (text.isEmpty()) return v.message->say(tr("The playground has not written a text yet: F3."), "warning");
    v.prompt->setPlainText(text);
    v.message->say({});
    if (canLook()) q->look();
}

void InspectPanel::Private::receive(const LookPtr& view)
{
    if (view->tokens.empty()) return v.message->say(tr("The text has no tokens; type a few words."), "warning");
    show(view);
    const auto from = counted(tokens(), tr("%1 token \u00b7 %2"), tr("%1 tokens \u00b7 %2"))
                          .arg(formatCount(tokens()))
                          .arg(describeWeights(weights));
    const auto note = fromUtf8(view->note);
    if (!note.isEmpty())
        v.message->say(note, "warning");
    else if (!weights.note.isEmpty())
        v.message->say(weights.note, "warning");
    else
        v.message->say(from);
}

void InspectPanel::Private::nameHeads()
{
    if (!canLook()) return showState(); // the weights have gone since the button was drawn
    v.message->say(tr("Getting the weights\u2026"));
    worker.testHeads(v.weights->source());
}

void InspectPanel::Private::receive(const HeadTestPtr& result)
{
    test = result;
    v.message->say(
        weights.note.isEmpty() ? describeWeights(weights) : weights.note, weights.note.isEmpty() ? "small" : "warning");
    showReach();
}

void InspectPanel::Private::show(const LookPtr& view)
{
    look = view;
    token = cell = -1;
    QVector<GeneratedToken> list;
    for (int i = 0; i < tokens(); ++i) {
        list << look->tokens[std::size_t(i)];
        list.back().prompt = false; // all of it was given: nothing to set off
    }
    v.map->setMap(nullptr, {});
    v.text->setTokens(list);
    v.grid->setLook(view);
    v.pushes->setLook(view);
    v.reach->setLook(view);
    v.memory->setMemory(seen().memory);
    v.lens->setLook(view);
    v.activations->setLook(view);
    v.mapPages->setCurrentIndex(v.grid->plan().cells.empty() ? 0 : 1);
    if (const auto rows = int(v.grid->plan().layers.size()); rows > 0 && rows != std::exchange(mapRows, rows)) {
        const int room = v.mapPages->height(), small = std::min(v.grid->comfortableHeight(), room * 45 / 100);
        v.maps->setSizes({ small, room - small });
    }
    if (tokens() > 0) v.text->setCurrent(firstRead(v.text->tokens()));
    paintTokens();
    showToken();
    showSum();
    showReach();
    showLens();
    showLensLegend();
    showState();
}

void InspectPanel::Private::select(int index)
{
    if (index == token || index >= tokens()) return;
    token = index;
    v.text->setCurrent(index);
    v.map->setToken(index);
    v.lens->setToken(index);
    showToken();
    showReading();
    showSum();
    showLens();
    if (v.tint->currentIndex() == Looks) paintTokens();
}

void InspectPanel::Private::showMap(int index)
{
    cell = index;
    if (look && index >= 0) {
        v.map->setMap(look, v.grid->plan().cells[std::size_t(index)]);
        v.map->setToken(token);
    }
    showReading();
    if (v.tint->currentIndex() == Looks) paintTokens();
}

void InspectPanel::Private::save(const QString& suggestion, const QByteArray& bytes)
{
    const auto path = q->askForFile(q, suggestion);
    if (!path.isEmpty()) v.message->save(path, bytes);
}

InspectPanel::InspectPanel(QWidget* parent, std::function<Engine&()> engine)
    : QWidget(parent)
    , askForFile([](QWidget* over, const QString& suggestion) {
        const bool picture = suggestion.endsWith(QStringLiteral(".png"));
        return QFileDialog::getSaveFileName(
            over, tr("Export"), suggestion, picture ? tr("Pictures (*.png)") : tr("CSV files (*.csv)"));
    })
{
    d_ = std::make_unique<Private>(this, std::move(engine)); // not earlier: building it sends events here
    setObjectName(QStringLiteral("inspectPanel"));
    setAccessibleName(tr("Inspect"));
    d_->follow(nullptr);
}

InspectPanel::~InspectPanel() = default;

void InspectPanel::setSession(RunSession* session)
{
    if (session == d_->session && session) return;
    if (d_->session) disconnect(d_->session, nullptr, &d_->guard, nullptr);
    d_->worker.release();
    d_->follow(session);
}

void InspectPanel::setOtherText(std::function<QString()> text) { d_->otherText = std::move(text); }

void InspectPanel::look()
{
    if (d_->showsCosts()) return d_->v.costs->measure();
    if (d_->showsWeights()) d_->v.tabs->setCurrentIndex(0); // where what is looked at can be seen
    if (!d_->canLook()) { // the weights may have gone since the button was drawn
        d_->showState();
        return d_->v.message->say(d_->v.empty.text->text(), "warning");
    }
    const auto text = d_->v.prompt->toPlainText();
    if (text.isEmpty()) {
        d_->v.message->say(tr("The text is empty; type a few words to look at."), "warning");
        d_->v.prompt->setFocus();
        return;
    }
    LookOptions options;
    options.text = text.toStdString();
    d_->v.message->say(tr("Getting the weights\u2026"));
    d_->worker.look(d_->v.weights->source(), options);
}

void InspectPanel::stop()
{
    if (d_->showsCosts()) return d_->v.costs->stop();
    if (!d_->worker.busy()) return;
    d_->worker.stop();
    d_->v.message->say(tr("Stopped."));
}

void InspectPanel::exportImage()
{
    if (d_->showsWeights()) return d_->v.tensors->exportImage();
    if (d_->showsCosts()) return d_->v.costs->exportImage();
    if (d_->cell < 0) return d_->v.message->say(tr("There is no map to save yet; look inside first."), "warning");
    const auto& plan = d_->v.grid->plan();
    const auto title = cellName(*d_->look, plan.cells[std::size_t(d_->cell)]);
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    d_->v.map->picture(title).save(&buffer, "PNG");
    d_->save(QStringLiteral("map.png"), buffer.data());
}

QString InspectPanel::pushesCsv() const { return PushTable::csv(d_->seen()); }
QString InspectPanel::lensCsv() const
{
    return d_->showsActivations() ? ActivationTable::csv(d_->seen()) : LensTable::csv(d_->seen());
}
QString InspectPanel::reachCsv() const
{
    switch (d_->v.reachOf->currentIndex()) {
    case Private::HowFar:
        return ReachTable::csv(d_->seen());
    case Private::HalfLives:
        return MemoryTable::csv(d_->seen().memory);
    default:
        return HeadTable::csv(d_->headsShown());
    }
}

bool InspectPanel::busy() const { return d_->busy(); }

bool InspectPanel::event(QEvent* event) { return claimPanelKey(event, d_ && d_->busy()) || QWidget::event(event); }

bool InspectPanel::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() != QEvent::KeyPress && event->type() != QEvent::ShortcutOverride)
        return QWidget::eventFilter(watched, event);
    auto* key = static_cast<QKeyEvent*>(event);
    if (!isRunKey(*key) && !(key->key() == Qt::Key_Escape && d_->busy())) return false;
    event->accept();
    if (event->type() == QEvent::KeyPress) keyPressEvent(key);
    return true;
}

void InspectPanel::keyPressEvent(QKeyEvent* event)
{
    if (isRunKey(*event))
        look();
    else if (event->key() == Qt::Key_Escape && d_->busy())
        stop();
    else
        QWidget::keyPressEvent(event);
}

void InspectPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    d_->v.weights->refresh();
    d_->v.tensors->setActive(d_->showsWeights());
    d_->v.costs->setActive(d_->showsCosts());
}

void InspectPanel::hideEvent(QHideEvent* event)
{
    QWidget::hideEvent(event);
    d_->v.tensors->setActive(false);
    d_->v.costs->setActive(false);
}

} // namespace pha::ui
