// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/run_session.h"

#include <QObject>
#include <QVector>

#include <functional>
#include <memory>

namespace pha::ui {

/// Evaluates and generates on a thread of its own, also while a run trains: it works on a copy of the weights taken between
/// two steps, so training goes on meanwhile. One job at a time; a new one stops the old one. GUI thread only; signals
/// arrive on the GUI thread, tokens at most once a frame. After `stop()` or a new job nothing of the old one arrives.
class ModelWorker : public QObject {
    Q_OBJECT

public:
    explicit ModelWorker(QObject* parent = nullptr);
    ~ModelWorker() override; ///< stops and waits

    bool busy() const;
    void evaluate(const ModelSource& source, const std::vector<EvaluateOptions>& jobs); ///< one after the other, one model
    void generate(const ModelSource& source, const GenerateOptions& options);
    void inspect(const ModelSource& source);
    void stop();

Q_SIGNALS:
    void busyChanged(bool busy);
    void progress(const pha::ProgressEvent& event);
    void evaluated(int index, const pha::Evaluation& evaluation);
    void tokens(const QVector<pha::GeneratedToken>& batch);
    void generated(const pha::Generation& generation);
    void inspected(const pha::ModelReport& report);
    void failed(const QString& message); ///< one line: what; what to do

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
