// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/evaluate/evaluate_form.h"

#include "ui/controls/weights_box.h"
#include "ui/format.h"

#include <QComboBox>
#include <QFormLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QSpinBox>

namespace pha::ui {

EvaluateForm::EvaluateForm(QWidget* parent)
    : QWidget(parent)
    , weights_(new WeightsBox(this))
    , split_(new QComboBox(this))
    , context_(new QSpinBox(this))
    , stride_(new QSpinBox(this))
    , maxTokens_(new QSpinBox(this))
{
    weights_->setObjectName(QStringLiteral("evaluateWeights"));
    split_->setObjectName(QStringLiteral("evaluateSplit"));
    split_->addItem(tr("Training"), QStringLiteral("train"));
    split_->addItem(tr("Validation"), QStringLiteral("valid"));
    split_->addItem(tr("Test"), QStringLiteral("test"));
    split_->setCurrentIndex(1);
    split_->setToolTip(tr("Part of the corpus. Report the test split; choose by the validation split."));

    const auto number = [](QSpinBox* box, const char* name, int end, int step, const QString& zero,
                            const QString& tip) {
        box->setObjectName(QLatin1String(name));
        box->setRange(0, end);
        box->setSingleStep(step);
        box->setSpecialValueText(zero);
        box->setGroupSeparatorShown(true);
        box->setLocale(QLocale(QLocale::English, QLocale::UnitedStates));
        box->setToolTip(tip);
    };
    number(context_, "evaluateContext", 1 << 20, 64, tr("as trained"),
        tr("Tokens in a window. 0: the run's own context length."));
    number(stride_, "evaluateStride", 1 << 20, 64, tr("disjoint"),
        tr("Tokens between the starts of two windows. 0: disjoint windows, the usual figure. Smaller strides give "
           "every token more context and a lower perplexity, at a higher cost."));
    number(maxTokens_, "evaluateMaxTokens", 2'000'000'000, 4096, tr("whole split"),
        tr("Score at most so many tokens. 0: all of them."));
    connect(maxTokens_, &QSpinBox::valueChanged, this, [this] { tokensChosen_ = true; });

    auto* form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setVerticalSpacing(6);
    form->setHorizontalSpacing(10);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    const auto row = [form](const QString& label, QWidget* field) {
        form->addRow(label, field);
        auto name = label;
        field->setAccessibleName(name.remove(QLatin1Char('&')));
    };
    row(tr("&Weights"), weights_);
    row(tr("S&plit"), split_);
    row(tr("&Context"), context_);
    row(tr("S&tride"), stride_);
    row(tr("&Most tokens"), maxTokens_);
    maxTokens_->setAccessibleName(tr("Most tokens to score"));
}

void EvaluateForm::setSession(RunSession* session)
{
    weights_->setSession(session);
    if (!session) return;
    const auto& training = session->file().config.training;
    context_->setSpecialValueText(tr("as trained: %1").arg(formatCount(training.context)));
    if (tokensChosen_) return;
    const QSignalBlocker quiet(maxTokens_);
    maxTokens_->setValue(int(std::min<std::int64_t>(training.evalTokens, maxTokens_->maximum())));
}

EvaluateOptions EvaluateForm::options() const
{
    EvaluateOptions o;
    o.split = split_->currentData().toString().toStdString();
    o.context = context_->value();
    o.stride = stride_->value();
    o.maxTokens = maxTokens_->value();
    return o;
}

} // namespace pha::ui
