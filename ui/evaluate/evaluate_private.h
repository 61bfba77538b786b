// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/weights_box.h"
#include "ui/evaluate/evaluate_form.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/evaluate/evaluate_view.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/work/model_worker.h"

#include <QPointer>

#include <map>
#include <optional>

namespace pha::ui {

/// What the evaluation panel does, apart from where its widgets are. What it shows is in evaluate_words.cpp.
class EvaluatePanel::Private {
public:
    Private(EvaluatePanel* panel, std::function<Engine&()> engine);
    void setShape(const MixShape& shape) { v.mixer->setShape(shape.layers, shape.branches, shape.present); }

    void follow(RunSession* s);
    void showKept(); ///< results of the run from earlier, once it is known which run it is
    /// The run has grown: newer mixing weights, or its first checkpoint.
    void update();

    bool canRun() const { return session && v.form->weights()->source().available; }

    /// The weights may have gone since the button was drawn: somebody deleted the run's folder.
    void refuse();
    void start(std::vector<EvaluateOptions> options, bool forAblation);
    void showWeights();
    void emptyAblation(); ///< and its note, which is of the cells that were there
    void showAblation(const Ablation& all);
    void receive(int index, const Evaluation& evaluation);
    void showProgress(const ProgressEvent& e);
    void showRow();
    void showResults();
    void showState();
    void save(const QString& text);

    EvaluatePanel* q;
    QObject guard; ///< what connections to this object live as long as
    EvaluateView v;
    QPointer<RunSession> session;
    QString identity; ///< of the run whose results are shown
    std::size_t mixingSeen = 0;
    std::map<QString, std::pair<Ablation, QString>> ablations; ///< by RunSession::identity(), with their notes
    std::vector<EvaluateOptions> jobs; ///< of the present or last order
    int done = 0;
    WeightsInfo weights;
    std::optional<EvalEvent> plain; ///< the unchanged network in the present order
    ModelWorker worker; ///< last: stops before the rest goes
};

} // namespace pha::ui
