// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/sampling_form.h"

#include "ui/look/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QPushButton>
#include <QRandomGenerator>
#include <QSignalBlocker>

#include <limits>

namespace pha::ui {

namespace {

struct Preset {
    const char* name;
    double temperature;
    std::int64_t topK;
    double topP, penalty;
};
constexpr Preset presets[] = {
    { QT_TRANSLATE_NOOP("pha::ui::SamplingForm", "Balanced"), 0.8, 0, 1, 1 },
    { QT_TRANSLATE_NOOP("pha::ui::SamplingForm", "Most probable token"), 0, 0, 1, 1 },
    { QT_TRANSLATE_NOOP("pha::ui::SamplingForm", "Careful"), 0.7, 40, 0.9, 1.1 },
    { QT_TRANSLATE_NOOP("pha::ui::SamplingForm", "Adventurous"), 1.1, 0, 0.95, 1.05 },
    { QT_TRANSLATE_NOOP("pha::ui::SamplingForm", "The model itself"), 1, 0, 1, 1 },
};

} // namespace

SamplingForm::SamplingForm(QWidget* parent)
    : QWidget(parent)
    , preset_(new QComboBox(this))
    , maxTokens_(new QSpinBox(this))
    , topK_(new QSpinBox(this))
    , seed_(new QSpinBox(this))
    , temperature_(new QDoubleSpinBox(this))
    , topP_(new QDoubleSpinBox(this))
    , penalty_(new QDoubleSpinBox(this))
    , newSeed_(new QCheckBox(tr("&New seed each time"), this))
{
    auto* form = new QFormLayout(this);
    form->setContentsMargins(0, 0, 0, 0);
    form->setVerticalSpacing(7);
    form->setHorizontalSpacing(10);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    const auto add = [&](QWidget* field, const char* name, const QString& label, const QString& tip) {
        field->setObjectName(QLatin1String(name));
        field->setToolTip(tip);
        field->setAccessibleName(QString(label).remove(QLatin1Char('&')));
        field->setLocale(QLocale(QLocale::English, QLocale::UnitedStates));
        form->addRow(label, field);
        // A label with a shortcut is drawn a little wider than it says.
        if (auto* shown = form->labelForField(field)) shown->setMinimumWidth(shown->sizeHint().width() + 4);
    };
    preset_->addItem(tr("Custom"));
    for (const auto& p : presets) preset_->addItem(tr(p.name));
    add(preset_, "samplingPreset", tr("P&reset"),
        tr("Settings that go together. Changing one of them makes it a custom choice."));

    maxTokens_->setRange(1, 20000);
    maxTokens_->setSingleStep(50);
    maxTokens_->setGroupSeparatorShown(true);
    add(maxTokens_, "samplingMaxTokens", tr("&Tokens"), tr("How many tokens are written at most."));
    temperature_->setRange(0, 5);
    temperature_->setSingleStep(0.1);
    add(temperature_, "samplingTemperature", tr("T&emperature"),
        tr("Divides the logits: below 1 is safer, above 1 is wilder. 0 always takes the most probable token."));
    topK_->setRange(0, 1'000'000);
    topK_->setSpecialValueText(tr("off"));
    topK_->setSingleStep(10);
    add(topK_, "samplingTopK", tr("Top &k"), tr("Draw from the k most probable tokens only. 0: off."));
    topP_->setRange(0.01, 1);
    topP_->setSingleStep(0.05);
    add(topP_, "samplingTopP", tr("Top &p"),
        tr("Draw from the smallest set of tokens that holds this share of the probability. 1: off."));
    penalty_->setRange(0.5, 5);
    penalty_->setSingleStep(0.05);
    add(penalty_, "samplingPenalty", tr("Repetition pe&nalty"),
        tr("Makes tokens that were there already less probable. 1: off."));
    seed_->setRange(0, std::numeric_limits<int>::max());
    add(seed_, "samplingSeed", tr("See&d"), tr("The same seed, prompt, settings and weights give the same text."));
    newSeed_->setObjectName(QStringLiteral("samplingNewSeed"));
    newSeed_->setChecked(true);
    newSeed_->setToolTip(
        tr("Choose another seed for every generation. Switch it off to repeat one, or to compare settings."));
    newSeed_->setAccessibleName(tr("New seed each time"));
    auto* reset = new QPushButton(tr("Re&set"), this);
    reset->setObjectName(QStringLiteral("samplingReset"));
    reset->setAccessibleName(tr("Reset the sampling settings"));
    reset->setToolTip(tr("Back to the settings that the program starts with."));
    reset->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    setRole(reset, "flat");
    auto* last = new QHBoxLayout;
    last->addWidget(newSeed_, 1);
    last->addWidget(reset);
    form->addRow(last);

    connect(reset, &QPushButton::clicked, this, &SamplingForm::reset);
    connect(preset_, &QComboBox::activated, this, [this](int index) {
        if (index == 0) return;
        const auto& p = presets[index - 1];
        auto s = sampling();
        s.temperature = p.temperature;
        s.topK = p.topK;
        s.topP = p.topP;
        s.repetitionPenalty = p.penalty;
        setSampling(s);
    });
    for (auto* box : { temperature_, topP_, penalty_ })
        connect(box, &QDoubleSpinBox::valueChanged, this, [this] { showPreset(); });
    connect(topK_, &QSpinBox::valueChanged, this, [this] { showPreset(); });
    this->reset();
}

Sampling SamplingForm::sampling() const
{
    Sampling s;
    s.maxTokens = maxTokens_->value();
    s.temperature = temperature_->value();
    s.topK = topK_->value();
    s.topP = topP_->value();
    s.repetitionPenalty = penalty_->value();
    s.seed = std::uint64_t(seed_->value());
    return s;
}

void SamplingForm::setSampling(const Sampling& s)
{
    maxTokens_->setValue(int(s.maxTokens));
    temperature_->setValue(s.temperature);
    topK_->setValue(int(s.topK));
    topP_->setValue(s.topP);
    penalty_->setValue(s.repetitionPenalty);
    seed_->setValue(int(s.seed));
    showPreset();
}

void SamplingForm::reset()
{
    setSampling(Sampling {});
    newSeed_->setChecked(true);
}

void SamplingForm::nextSeed()
{
    if (newSeed_->isChecked()) seed_->setValue(int(QRandomGenerator::global()->bounded(1, 1'000'000)));
}

void SamplingForm::showPreset()
{
    const auto s = sampling();
    int found = 0;
    for (int i = 0; i < int(std::size(presets)); ++i) {
        const auto& p = presets[i];
        const auto near = [](double a, double b) { return a - b < 0.001 && b - a < 0.001; };
        if (near(s.temperature, p.temperature) && s.topK == p.topK && near(s.topP, p.topP)
            && near(s.repetitionPenalty, p.penalty))
            found = i + 1;
    }
    preset_->setCurrentIndex(found);
}

} // namespace pha::ui
