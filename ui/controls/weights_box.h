// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"
#include "ui/work/model_worker.h"

#include <QComboBox>
#include <QPointer>
#include <QStringList>

namespace pha::ui {

/// Which weights of the run to use: the live ones while it trains, its best or latest checkpoint, or any other.
class WeightsBox : public QComboBox {
    Q_OBJECT

public:
    explicit WeightsBox(QWidget* parent = nullptr);
    void setSession(RunSession* session);
    ModelSource source() const; ///< not available without a session or a checkpoint
    QString
    problem() const; ///< the chosen checkpoint is there no more, and what to do; empty: it is, or none is chosen
    void refresh(); ///< the list of checkpoints, keeping the choice, also of one that is there no more
    void showPopup() override;
    /// Mixing weights that the run reported nearest to the chosen weights; empty if it reported none.
    std::vector<LayerMix> mixing() const;

private:
    void list(); ///< as refresh(), from a look at the folder that all boxes share

    QPointer<RunSession> session_;
};

/// Layers of a run's network and what can be muted or weighted in them: the branches of a mix and every other part. No
/// branches: not known yet.
struct MixShape {
    int layers = 0;
    QStringList branches; ///< of all layers together
    std::vector<QStringList> present; ///< of each layer
};
MixShape mixShape(const RunSession& session);
MixShape mixShape(const ModelConfig& model);

/// "live weights at step 1,250", "checkpoint of step 1,000".
QString describeWeights(const WeightsInfo& weights);

} // namespace pha::ui
