// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QElapsedTimer>
#include <QPointer>
#include <QTimer>
#include <QVector>

#include <memory>
#include <vector>

namespace pha::ui {

/// Plays a run back: a clock over the history that its session holds, and a second session, the recording, that shows
/// the run as it was when the clock says so. What draws a run that trains draws this one. The run itself is only read,
/// and may go on meanwhile: the recording ends where it stood when it began. Time is that of training: pauses,
/// evaluations and the days between two sessions are not waited for. Other runs can accompany it: each is shown as it
/// was after as much time of training, as if all had begun at once. GUI thread only.
class Playback : public QObject {
    Q_OBJECT

public:
    /// How fast: so many times as fast as it was, or the whole run in so many seconds.
    struct Speed {
        double times = 1, wholeIn = 0;
        QString name; ///< on the command line and in the settings: "5", "30s", "1min"
        QString text() const;
    };
    static const std::vector<Speed>& speeds();
    static int speedNamed(const QString& name); ///< index, also of "5x"; -1: there is none of that name

    explicit Playback(QObject* parent = nullptr);
    ~Playback() override;

    void start(RunSession* run); ///< from its first update on, as soon as it has been read
    void leave();
    void accompany(const QVector<RunSession*>& runs); ///< by these others, and no more by those of before
    /// What shows a run as it was at this moment; the run itself, if it is not played back.
    RunSession* shown(RunSession* run) const;
    bool active() const { return active_; } ///< from start() until it is left
    RunSession* run() const { return run_; }
    RunSession* recording() const { return recording_.get(); } ///< null while the run is still being read

    std::size_t update() const { return update_; } ///< updates that are shown, of
    std::size_t updates() const { return course_.size(); }
    bool atEnd() const { return update_ == updates(); }
    bool playing() const { return playing_; }
    void setPlaying(bool playing); ///< from the start again where it is at its end
    void hold(bool held); ///< the clock stands still, as while a slider is dragged
    void seek(std::size_t update);
    void seekEvent(int direction); ///< to the next evaluation or sample, or the one before
    int speed() const { return speed_; }
    void setSpeed(int index);
    void advance(double seconds); ///< of the clock on the wall; a timer calls it

Q_SIGNALS:
    void changed(); ///< the recording has come or gone, plays or stands still, or its speed is another one
    void moved(); ///< to another moment
    void failed(const QString& message);

private:
    void tick();
    void begin();
    void show(std::size_t update);
    void showOthers();
    void runChanged();
    void updateClock();

    struct Companion {
        QPointer<RunSession> run;
        std::unique_ptr<RunSession> recording;
        std::vector<double> course;
        std::int64_t generation = 0;
        std::size_t update = 0;
    };
    QPointer<RunSession> run_;
    std::unique_ptr<RunSession> recording_;
    std::vector<Companion> others_;
    std::vector<double> course_; ///< seconds of training after which each update was done
    std::int64_t generation_ = 0; ///< of the history that is played back
    double at_ = 0; ///< seconds of training
    std::size_t update_ = 0;
    int speed_ = 0, quiet_ = 0;
    bool active_ = false, playing_ = false, held_ = false;
    QTimer timer_;
    QElapsedTimer wall_;
};

} // namespace pha::ui
