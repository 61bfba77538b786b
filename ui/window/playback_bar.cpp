// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/playback_bar.h"

#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"
#include "ui/session/playback.h"
#include "ui/window/window_actions.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QMouseEvent>
#include <QSettings>
#include <QSignalBlocker>
#include <QSlider>
#include <QStyle>
#include <QStyleOptionSlider>
#include <QToolButton>

namespace pha::ui {

namespace {

/// A slider whose handle comes to where one presses.
class CourseSlider : public QSlider {
public:
    CourseSlider()
        : QSlider(Qt::Horizontal)
    {
    }

protected:
    void mousePressEvent(QMouseEvent* event) override
    {
        QStyleOptionSlider option;
        initStyleOption(&option);
        const auto handle = style()->subControlRect(QStyle::CC_Slider, &option, QStyle::SC_SliderHandle, this);
        if (event->button() == Qt::LeftButton && !handle.contains(event->pos())) {
            const int x = event->pos().x() - handle.width() / 2;
            setValue(QStyle::sliderValueFromPosition(minimum(), maximum(), x, width() - handle.width()));
        }
        QSlider::mousePressEvent(event);
    }
};

} // namespace

PlaybackBar::PlaybackBar(Playback* playback, const WindowActions& actions, QWidget* parent)
    : QWidget(parent)
    , playback_(playback)
    , words_(new QLabel)
    , play_(button(QStringLiteral("playbackPlay"), actions.pauseRun, QStringLiteral("pause")))
    , slider_(new CourseSlider)
    , speed_(new QComboBox)
{
    setObjectName(QStringLiteral("playbackBar"));
    build(actions);
    connect(slider_, &QSlider::valueChanged, playback, [playback](int update) { playback->seek(std::size_t(update)); });
    connect(slider_, &QSlider::sliderPressed, playback, [playback] { playback->hold(true); });
    connect(slider_, &QSlider::sliderReleased, playback, [playback] { playback->hold(false); });
    connect(speed_, &QComboBox::currentIndexChanged, playback, [playback](int index) {
        playback->setSpeed(index);
        QSettings().setValue(QStringLiteral("playback/speed"), Playback::speeds()[std::size_t(index)].name);
    });
    connect(playback, &Playback::changed, this, &PlaybackBar::refresh);
    connect(playback, &Playback::moved, this, &PlaybackBar::showMoment);
    refresh();
}

QToolButton* PlaybackBar::button(const QString& id, QAction* action, const QString& sign)
{
    auto* b = new QToolButton;
    b->setObjectName(id);
    b->setIcon(icon(sign));
    b->setFocusPolicy(Qt::TabFocus);
    connect(b, &QToolButton::clicked, action, &QAction::trigger);
    const auto tell = [b, action] {
        b->setToolTip(action->toolTip());
        b->setAccessibleName(action->text().remove(QLatin1Char('&')));
        b->setEnabled(action->isEnabled());
    };
    connect(action, &QAction::changed, b, tell);
    tell();
    return b;
}

void PlaybackBar::build(const WindowActions& actions)
{
    auto* frame = new QFrame;
    setRole(frame, "recording");
    words_->setObjectName(QStringLiteral("playbackWords"));
    words_->setTextFormat(Qt::PlainText);
    setRole(words_, "heading");
    slider_->setObjectName(QStringLiteral("playbackSlider"));
    slider_->setAccessibleName(tr("Moment of the run"));
    slider_->setToolTip(plainToolTip(tr("The course of the run: arrow and Page keys, Home, End")));
    slider_->setMinimumWidth(120);
    speed_->setObjectName(QStringLiteral("playbackSpeed"));
    speed_->setAccessibleName(tr("Speed"));
    speed_->setToolTip(plainToolTip(tr("How fast the recording runs, against the training or as a whole")));
    for (const auto& speed : Playback::speeds()) speed_->addItem(speed.text());
    auto* leave = new QToolButton;
    leave->setObjectName(QStringLiteral("playbackLeave"));
    leave->setDefaultAction(actions.playBack);
    leave->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    leave->setFocusPolicy(Qt::TabFocus);
    setRole(leave, "button");
    auto* row = new QHBoxLayout(frame);
    row->setContentsMargins(12, 3, 6, 3);
    row->setSpacing(8);
    row->addWidget(words_);
    row->addWidget(button(QStringLiteral("playbackPrevious"), actions.playPrevious, QStringLiteral("previous")));
    row->addWidget(play_);
    row->addWidget(button(QStringLiteral("playbackNext"), actions.playNext, QStringLiteral("next")));
    row->addWidget(slider_, 1);
    row->addWidget(speed_);
    row->addWidget(leave);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 2);
    outer->addWidget(frame);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
}

void PlaybackBar::focusSlider() { slider_->setFocus(Qt::ShortcutFocusReason); }

void PlaybackBar::refresh()
{
    const QSignalBlocker quietSlider(slider_), quietSpeed(speed_);
    const int updates = int(playback_->updates());
    slider_->setRange(0, updates);
    slider_->setSingleStep(std::max(1, updates / 200));
    slider_->setPageStep(std::max(1, updates / 20));
    speed_->setCurrentIndex(playback_->speed());
    play_->setIcon(icon(playback_->playing() ? QStringLiteral("pause") : QStringLiteral("play")));
    showMoment();
}

void PlaybackBar::showMoment()
{
    const QSignalBlocker quiet(slider_);
    slider_->setValue(int(playback_->update()));
    const auto* run = playback_->run();
    if (!run) return;
    const auto name = shortened(run->name());
    if (!playback_->recording()) return words_->setText(tr("Reading %1\u2026").arg(name));
    const auto text = [&](std::size_t update) {
        return tr("Recording of %1, update %2 of %3")
            .arg(name, formatCount(std::int64_t(update)), formatCount(std::int64_t(playback_->updates())));
    };
    words_->setText(text(playback_->update()));
    // As wide as it gets, so that nothing moves while it counts.
    words_->setMinimumWidth(words_->fontMetrics().horizontalAdvance(text(playback_->updates())) + 4);
}

} // namespace pha::ui
