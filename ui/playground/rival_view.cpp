// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/rival_view.h"

#include "ui/controls/controls.h"
#include "ui/controls/token_view.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

RivalView::RivalView(std::function<Engine&()> engine, QWidget* parent)
    : QFrame(parent)
    , worker_(nullptr, std::move(engine))
{
    setObjectName(QStringLiteral("playgroundRival"));
    setAccessibleName(tr("Second network"));
    auto* layout = card(this);
    run_ = new QComboBox(this);
    run_->setObjectName(QStringLiteral("rivalRun"));
    run_->setAccessibleName(tr("Run of the second network"));
    run_->setToolTip(tr("Which run writes beside the selected one"));
    run_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    run_->setMinimumContentsLength(7);
    weights_ = new WeightsBox(this);
    weights_->setObjectName(QStringLiteral("rivalWeights"));
    weights_->setMinimumContentsLength(7);
    text_ = new TokenView(this);
    text_->setObjectName(QStringLiteral("rivalText"));
    text_->setAccessibleName(tr("Text of the second network"));
    figures_ = new ElidedLabel(this, tr("Generate writes with both networks, with one seed."), "small");
    figures_->setObjectName(QStringLiteral("rivalFigures"));
    enlargeText(text_);
    auto* head = new QHBoxLayout;
    head->addWidget(label(this, tr("B"), "heading"));
    head->addWidget(run_, 1);
    head->addWidget(weights_, 1);
    layout->addLayout(head);
    layout->addWidget(text_, 1);
    auto* blind = pushButton(this, "rivalBlind", tr("&Blind vote"),
        tr("Show the texts of both without names and in an order that nobody knows, and vote for the better one"),
        "flat");
    auto* foot = new QHBoxLayout;
    foot->addWidget(figures_, 1);
    foot->addWidget(blind);
    layout->addLayout(foot);
    connect(blind, &QPushButton::clicked, this, &RivalView::blindWanted);

    connect(run_, &QComboBox::currentIndexChanged, this, [this] {
        const auto folder = run_->currentData().toString();
        session_ = runs_ && !folder.isEmpty() ? runs_->open(toPath(folder)) : nullptr;
        weights_->setSession(session_);
        worker_.release();
    });
    connect(&worker_, &ModelWorker::tokens, this, &RivalView::receive);
    connect(&worker_, &ModelWorker::progress, this,
        [this](const ProgressEvent& e) { showFigures(fromUtf8(e.what), "small"); });
    connect(&worker_, &ModelWorker::failed, this, [this](const QString& text) { showFigures(text, "error"); });
    connect(&worker_, &ModelWorker::weightsReady, this, [this](const WeightsInfo& weights) { wrote_ = weights; });
    connect(&worker_, &ModelWorker::generated, this, [this](const Generation& g) {
        complete_ = true;
        const auto tokens = text_->tokens().size() - given_;
        showFigures(counted(tokens, tr("%1 token  \u00b7  %2 tokens/s"), tr("%1 tokens  \u00b7  %2 tokens/s"))
                        .arg(formatCount(tokens), formatFixed(g.tokensPerSecond, g.tokensPerSecond < 100 ? 1 : 0)),
            "small");
    });
    connect(&worker_, &ModelWorker::busyChanged, this, &RivalView::grown);
}

RivalView::~RivalView() { worker_.disconnect(this); }

void RivalView::setRuns(RunListModel* runs)
{
    runs_ = runs;
    for (const auto signal : { &QAbstractItemModel::rowsInserted, &QAbstractItemModel::rowsRemoved })
        connect(runs, signal, this, &RivalView::fillRuns);
    connect(runs, &QAbstractItemModel::modelReset, this, &RivalView::fillRuns);
    connect(runs, &QAbstractItemModel::dataChanged, this,
        [this](const QModelIndex& from, const QModelIndex& to) { renameRuns(from.row(), to.row()); });
    fillRuns();
}

void RivalView::renameRuns(int from, int to)
{
    for (int row = from; row <= to && row < run_->count(); ++row) // as many and in the order of the list
        if (const auto& name = runs_->summary(row).name; run_->itemText(row) != name) run_->setItemText(row, name);
}

void RivalView::fillRuns()
{
    const auto chosen = run_->currentData().toString();
    {
        const QSignalBlocker quiet(run_);
        run_->clear();
        for (int row = 0; row < runs_->rowCount(); ++row)
            run_->addItem(runs_->summary(row).name, fromPath(runs_->summary(row).directory));
        run_->setCurrentIndex(run_->findData(chosen));
    }
    if (!chosen.isEmpty() && run_->currentIndex() < 0) { // its run is gone
        worker_.release();
        session_ = nullptr;
        weights_->setSession(nullptr);
    }
}

void RivalView::propose()
{
    if (session_ || run_->count() == 0) return;
    int other = 0;
    while (
        other + 1 < run_->count() && opponent_ && run_->itemData(other).toString() == fromPath(opponent_->directory()))
        ++other;
    run_->setCurrentIndex(other);
}

bool RivalView::canWrite() const { return session_ && weights_->source().available; }

QString RivalView::name() const { return run_->currentText(); }

void RivalView::write(GenerateOptions options, const std::string& prompt)
{
    text_->clearTokens();
    text_->setMark(-1);
    given_ = 0;
    complete_ = false;
    if (session_ && session_->loading()) return showFigures(tr("This run is still being read: try again."), "warning");
    if (const auto problem = weights_->problem(); !problem.isEmpty()) return showFigures(problem, "warning");
    if (!canWrite()) return showFigures(tr("Choose a run with a checkpoint."), "warning");
    options.prompt = prompt;
    options.promptIds.clear();
    options.mix.clear(); // the mixer belongs to the selected run
    showFigures(tr("Getting the weights..."), "small");
    worker_.generate(weights_->source(), options);
}

Duellist RivalView::duellist() const { return session_ ? duellistOf(*session_, wrote_) : Duellist {}; }

void RivalView::stop() { worker_.stop(); }

void RivalView::receive(const QVector<GeneratedToken>& batch)
{
    given_ += int(std::count_if(batch.begin(), batch.end(), [](const GeneratedToken& t) { return t.prompt; }));
    text_->append(batch);
    Q_EMIT grown();
}

void RivalView::showFigures(const QString& text, const char* role)
{
    setRole(figures_, role);
    figures_->setText(text);
    figures_->setToolTip(plainToolTip(text));
}

Duellist duellistOf(const RunSession& session, const WeightsInfo& weights, const QString& changes)
{
    Duellist one { session.identity() + QStringLiteral("\n%1").arg(weights.step),
        session.name() + QStringLiteral(", ") + describeWeights(weights) };
    if (changes.isEmpty()) return one;
    one.key += QLatin1Char('\n') + changes;
    one.name += QStringLiteral(", ") + changes;
    return one;
}

std::optional<Divergence> firstDivergence(
    const QVector<GeneratedToken>& a, int givenA, const QVector<GeneratedToken>& b, int givenB)
{
    int i = givenA, j = givenB;
    std::size_t inA = 0, inB = 0; // bytes of the tokens at hand that agree
    while (i < a.size() && j < b.size()) {
        const auto &left = a[i].text, &right = b[j].text;
        while (inA < left.size() && inB < right.size() && left[inA] == right[inB]) ++inA, ++inB;
        if (inA < left.size() && inB < right.size()) return Divergence { i, j };
        if (inA == left.size()) ++i, inA = 0;
        if (inB == right.size()) ++j, inB = 0;
    }
    return {};
}

QString describeDivergence(
    const Divergence& at, const QVector<GeneratedToken>& a, int givenA, const QVector<GeneratedToken>& b)
{
    const auto opinion = [](const GeneratedToken& of, const std::string& token) {
        const auto known = std::find_if(of.alternatives.begin(), of.alternatives.end(),
            [&token](const TokenAlternative& t) { return t.text == token; });
        return known == of.alternatives.end()
            ? RivalView::tr("not among its ten best")
            : QString::number(100 * known->probability, 'f', 1) + QStringLiteral(" %");
    };
    const auto &left = a[at.a], &right = b[at.b];
    return RivalView::tr("\u26a1 They part at token %1: A wrote %2 (%3; B: %4), B wrote %5 (%6; A: %7)")
        .arg(at.a - givenA + 1)
        .arg(visibleToken(left.text), QString::number(100 * left.probability, 'f', 1) + QStringLiteral(" %"),
            opinion(right, left.text), visibleToken(right.text),
            QString::number(100 * right.probability, 'f', 1) + QStringLiteral(" %"), opinion(left, right.text));
}

} // namespace pha::ui
