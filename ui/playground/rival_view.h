// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/playground/duel_tally.h"
#include "ui/runs/run_list_model.h"
#include "ui/work/model_worker.h"

#include <QFrame>
#include <QPointer>

class QComboBox;
class QLabel;

namespace pha::ui {

class TokenView;
class WeightsBox;

/// The second network of the playground: writes from the same prompt with the same seed, on a copy of its own weights.
class RivalView : public QFrame {
    Q_OBJECT

public:
    RivalView(std::function<Engine&()> engine, QWidget* parent);
    ~RivalView() override;

    void setRuns(RunListModel* runs);
    void setOpponent(RunSession* session) { opponent_ = session; } ///< another run is proposed first
    void propose(); ///< chooses a run if none is chosen
    const RunSession* session() const { return session_; } ///< null: no run is chosen
    bool canWrite() const;
    bool writing() const { return worker_.busy(); }
    void write(GenerateOptions options, const std::string& prompt); ///< as text: its tokenizer may be another
    void stop();
    TokenView* text() const { return text_; }
    int given() const { return given_; } ///< tokens of the prompt
    QString name() const;
    bool complete() const { return complete_; } ///< the last text was written to its end
    Duellist duellist() const; ///< who wrote it

Q_SIGNALS:
    void grown(); ///< tokens came, or it is over
    void blindWanted(); ///< votes on texts without names

private:
    void fillRuns();
    void renameRuns(int from, int to); ///< rows of the list
    void receive(const QVector<GeneratedToken>& batch);
    void showFigures(const QString& text, const char* role);

    QPointer<RunListModel> runs_;
    QPointer<RunSession> session_, opponent_;
    QComboBox* run_;
    WeightsBox* weights_;
    TokenView* text_;
    QLabel* figures_;
    int given_ = 0;
    bool complete_ = false;
    WeightsInfo wrote_; ///< the weights of the last text
    ModelWorker worker_; ///< last: stops before the rest goes
};

/// A run with weights of its, and what the mixer changed of them.
Duellist duellistOf(const RunSession& session, const WeightsInfo& weights, const QString& changes = {});

/// Where two texts part: index of the first token of each (the prompt's included) whose text is not the other's.
struct Divergence {
    int a = 0, b = 0;
};
/// Nothing as long as what both have written is the same. Compares bytes, so that the tokenizers need not be the same.
std::optional<Divergence> firstDivergence(
    const QVector<GeneratedToken>& a, int givenA, const QVector<GeneratedToken>& b, int givenB);
/// "They part at token 12: A wrote ...": what each thought of the other's token.
QString describeDivergence(
    const Divergence& at, const QVector<GeneratedToken>& a, int givenA, const QVector<GeneratedToken>& b);

} // namespace pha::ui
