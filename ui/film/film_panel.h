// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/film.h"
#include "ui/film/film_view.h"
#include "ui/session/run_session.h"

#include <QPointer>
#include <QTimer>

#include <functional>

namespace pha::ui {

/// The samples of a run as a film: one prompt, written on at each moment of the training, with the mixing weights and
/// the loss of that moment. Shows the newest sample as it comes until the user goes back. GUI thread only.
class FilmPanel : public QWidget {
    Q_OBJECT

public:
    explicit FilmPanel(QWidget* parent = nullptr);

    void setSession(RunSession* session); ///< null: no run is selected
    int frame() const { return frame_; } ///< -1: none
    int frames() const;
    bool following() const { return following_; } ///< the newest sample is shown as it comes
    void showFrame(int frame); ///< as the user does: stops playing, and following unless it is the last
    void togglePlay();
    void save(); ///< asks where; .html or .csv
    void focusSlider();
    /// Asks for a file to write; tests replace it.
    std::function<QString(QWidget*, const QString& suggestion)> askForFile;

protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    void connectControls();
    FilmRows rows() const;
    void refresh(); ///< takes in what the run has gained
    void showEmpty();
    void growCurve();
    void go(int frame);
    void draw();
    void drawText(const SampleEvent& sample);
    void drawFigures(const FilmFrame& shown);
    void drawMix(const FilmFrame& shown);
    void setPlaying(bool on);

    FilmView v_;
    QPointer<RunSession> session_;
    QTimer player_;
    std::int64_t generation_ = -1;
    std::size_t evalRow_ = 0; ///< evaluations that the curve has
    int frame_ = -1;
    bool following_ = true;
};

} // namespace pha::ui
