// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QObject>
#include <QVector>

#include <functional>
#include <memory>
#include <vector>

namespace pha::ui {

/// Which weights a job works on.
struct WeightsInfo {
    std::int64_t step = 0;
    bool live = false; ///< copied from the running training, otherwise read from a checkpoint
    QString checkpoint; ///< its folder's name, empty for a live copy
    QString note; ///< why it is not what was asked for, one line; empty if it is
    bool sameAs(const WeightsInfo& other) const
    {
        return step == other.step && live == other.live && checkpoint == other.checkpoint;
    }
};

/// Evaluates, generates and looks inside on a thread of its own, also while a run trains: it works on a copy of the
/// weights taken between two steps, so training goes on meanwhile. One job at a time; a new one stops the old one. GUI
/// thread only; signals arrive on the GUI thread, tokens at most once a frame. After `stop()` or a new job nothing of
/// the old one arrives.
///
/// The network stays loaded between jobs as long as its source has not changed, and evaluations that were already made
/// with it are answered at once: they are deterministic.
class ModelWorker : public QObject {
    Q_OBJECT

public:
    using OpenEngine = std::function<Engine&()>; ///< called on the worker's thread; may take long and may throw
    explicit ModelWorker(QObject* parent = nullptr, OpenEngine engine = loadEngine);
    ~ModelWorker() override; ///< stops and waits

    bool busy() const;
    /// One after the other with the same weights. A network that is loaded for this or for an ablation reports
    /// `inspected` too.
    void evaluate(const ModelSource& source, const std::vector<EvaluateOptions>& jobs);
    void ablate(const ModelSource& source, const EvaluateOptions& options);
    void generate(const ModelSource& source, const GenerateOptions& options);
    void look(const ModelSource& source, const LookOptions& options); ///< inside, while a text is read
    void testHeads(const ModelSource& source); ///< on random tokens that come twice
    void measureCosts(const ModelSource& source, const CostOptions& options);
    /// `costs` is what measureCosts() found for the same source and options, with the weights `measured`. Fails if
    /// these are no longer at hand and the source gives others by now.
    void tryPruned(const ModelSource& source, const WeightsInfo& measured, const CostOptions& options,
        const std::shared_ptr<const pha::BranchCosts>& costs, const std::vector<PartPlace>& parts);
    void stop(); ///< `busy()` is false afterwards, although the engine may need a moment to notice
    void release(); ///< stops and frees the network

Q_SIGNALS:
    void busyChanged(bool busy);
    void weightsReady(const pha::ui::WeightsInfo& weights); ///< before anything else of a job
    void progress(const pha::ProgressEvent& event);
    void evaluated(int index, const pha::Evaluation& evaluation);
    void cell(const pha::AblationCell& cell); ///< of an ablation, as it is known
    void ablated(const pha::Ablation& ablation); ///< all of it
    void tokens(const QVector<pha::GeneratedToken>& batch);
    void generated(const pha::Generation& generation);
    void inspected(const pha::ModelReport& report);
    void looked(const std::shared_ptr<const pha::InsideView>& view); ///< shared, since it is large
    void headsTested(const std::shared_ptr<const pha::HeadTest>& test);
    void costed(const std::shared_ptr<const pha::BranchCosts>& costs);
    void triedPruned(const pha::PruneTrial& trial);
    void failed(const QString& message); ///< one line: what; what to do

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
