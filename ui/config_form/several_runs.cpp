// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/several_runs.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/run_about.h"
#include "engine/run/sweep_state.h"
#include "ui/controls/controls.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QClipboard>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QGridLayout>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>

namespace pha::ui {

namespace {

constexpr int afterTyping = 150; ///< milliseconds

/// What a sweep can vary, in the order of the form; "" is nothing.
void fillKeys(QComboBox* box)
{
    box->addItem(SeveralRuns::tr("nothing else"), QString());
    box->addItem(QStringLiteral("preset"), QStringLiteral("preset"));
    for (const auto& [group, field] : allFields()) {
        if (field.name == "seed" || field.name == "stop_after" || field.name == "vocabulary") continue;
        box->addItem(fromUtf8(field.name), fromUtf8(field.name));
        box->setItemData(box->count() - 1, plainToolTip(fromUtf8(field.help)), Qt::ToolTipRole);
    }
}

QString expectationOf(const QString& key)
{
    if (key == QLatin1String("preset")) return SeveralRuns::tr("names of presets");
    return fromUtf8(fieldOf(key.toStdString()).expectation());
}

} // namespace

SeveralRuns::SeveralRuns(
    const DraftValues& form, const QString& name, std::filesystem::path folder, Queue toQueue, QWidget* parent)
    : QDialog(parent)
    , folder_(std::move(folder))
    , toQueue_(std::move(toQueue))
    , severalName_(new QLineEdit(slug(name).left(qsizetype(longestTag))))
    , severalSeeds_(new QSpinBox)
    , severalList_(new QPlainTextEdit)
    , severalMessage_(new QLabel)
    , queueRuns_(new QPushButton)
    , copySweep_(pushButton(this, "copySweep", tr("Copy as command"), tr("The pha sweep line that does the same")))
{
    draft_.restore(form);
    setObjectName(QStringLiteral("severalRuns"));
    setWindowTitle(tr("Several runs"));
    severalName_->setObjectName(QStringLiteral("severalName"));
    severalName_->setAccessibleName(tr("Name of the sweep"));
    severalName_->setToolTip(plainToolTip(tr("Begins the names of the runs, and is the tag by which they are found")));
    severalSeeds_->setObjectName(QStringLiteral("severalSeeds"));
    severalSeeds_->setAccessibleName(tr("Seeds"));
    severalSeeds_->setToolTip(plainToolTip(tr("Runs of each combination, with seeds that count up from the form's")));
    severalSeeds_->setRange(1, 100);
    first_ = makeAxis(1);
    second_ = makeAxis(2);
    layOut();
    soon_.setSingleShot(true);
    soon_.setInterval(afterTyping);
    connect(&soon_, &QTimer::timeout, this, &SeveralRuns::judge);
    connect(severalName_, &QLineEdit::textChanged, &soon_, qOverload<>(&QTimer::start));
    connect(severalSeeds_, &QSpinBox::valueChanged, &soon_, qOverload<>(&QTimer::start));
    connect(queueRuns_, &QPushButton::clicked, this, &SeveralRuns::queue);
    connect(copySweep_, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(command()); });
    first_.key->setCurrentIndex(first_.key->findData(QStringLiteral("learning_rate")));
    judge();
    first_.values->setFocus();
}

SeveralRuns::~SeveralRuns()
{
    // Children go after members, and what they say on their way would meet those no more.
    for (auto* child : findChildren<QObject*>()) child->disconnect(this);
}

SeveralRuns::Axis SeveralRuns::makeAxis(int number)
{
    Axis axis { new QComboBox, new QLineEdit };
    axis.key->setObjectName(QStringLiteral("severalKey%1").arg(number));
    axis.key->setAccessibleName(tr("Setting %1").arg(number));
    axis.key->setToolTip(plainToolTip(tr("What the runs differ in")));
    axis.key->setMaxVisibleItems(24);
    fillKeys(axis.key);
    axis.values->setObjectName(QStringLiteral("severalValues%1").arg(number));
    axis.values->setAccessibleName(tr("Values of setting %1").arg(number));
    axis.values->setMinimumWidth(fontMetrics().averageCharWidth() * 34);
    connect(axis.key, &QComboBox::currentIndexChanged, this, [this, axis] {
        proposeValues(axis);
        soon_.start();
    });
    connect(axis.values, &QLineEdit::textChanged, &soon_, qOverload<>(&QTimer::start));
    proposeValues(axis);
    return axis;
}

/// Begins with what the form has: most people want to know about values around it.
void SeveralRuns::proposeValues(const Axis& axis)
{
    const auto key = axis.key->currentData().toString();
    axis.values->setEnabled(!key.isEmpty());
    axis.values->setText(key.isEmpty()       ? QString()
            : key == QLatin1String("preset") ? draft_.values().preset
                                             : draft_.text(key.toStdString()));
    axis.values->setToolTip(key.isEmpty()
            ? plainToolTip(tr("Choose a setting first"))
            : plainToolTip(tr("Values with commas between them: %1. Where a value has a comma itself, semicolons "
                              "separate.")
                               .arg(expectationOf(key))));
}

void SeveralRuns::layOut()
{
    severalList_->setObjectName(QStringLiteral("severalList"));
    severalList_->setAccessibleName(tr("Runs that would be queued"));
    severalList_->setToolTip(plainToolTip(tr("Runs that would be queued, in their order")));
    severalList_->setReadOnly(true);
    severalList_->setTabChangesFocus(true);
    severalList_->setLineWrapMode(QPlainTextEdit::NoWrap);
    severalList_->setMinimumHeight(fontMetrics().height() * 9);
    severalMessage_->setObjectName(QStringLiteral("severalMessage"));
    severalMessage_->setTextFormat(Qt::PlainText);
    severalMessage_->setWordWrap(true);
    severalMessage_->setMinimumHeight(fontMetrics().height() * 2);
    auto* grid = new QGridLayout;
    grid->setHorizontalSpacing(8);
    grid->setVerticalSpacing(6);
    grid->addWidget(caption(this, tr("&Name"), severalName_), 0, 0);
    grid->addWidget(severalName_, 0, 1, 1, 2);
    grid->addWidget(caption(this, tr("&Vary"), first_.key), 1, 0);
    grid->addWidget(first_.key, 1, 1);
    grid->addWidget(first_.values, 1, 2);
    grid->addWidget(caption(this, tr("&and"), second_.key), 2, 0);
    grid->addWidget(second_.key, 2, 1);
    grid->addWidget(second_.values, 2, 2);
    grid->addWidget(caption(this, tr("&Seeds"), severalSeeds_), 3, 0);
    grid->addWidget(severalSeeds_, 3, 1);
    grid->setColumnStretch(2, 1);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel);
    buttons->button(QDialogButtonBox::Cancel)->setObjectName(QStringLiteral("severalCancel"));
    buttons->button(QDialogButtonBox::Cancel)->setToolTip(plainToolTip(tr("Queues nothing")));
    buttons->addButton(queueRuns_, QDialogButtonBox::ActionRole);
    queueRuns_->setObjectName(QStringLiteral("queueRuns"));
    queueRuns_->setToolTip(plainToolTip(tr("Each starts by itself when nothing else trains")));
    setRole(queueRuns_, "primary");
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* below = new QHBoxLayout;
    below->addWidget(copySweep_);
    below->addStretch(1);
    below->addWidget(buttons);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(16, 14, 16, 14);
    layout->setSpacing(10);
    auto* intro = label(this, tr("The form's settings, with every combination of these values:"), "muted");
    layout->addWidget(intro);
    layout->addLayout(grid);
    layout->addWidget(severalList_, 1);
    layout->addWidget(severalMessage_);
    layout->addLayout(below);
    const QList<QWidget*> order { severalName_, first_.key, first_.values, second_.key, second_.values, severalSeeds_,
        severalList_, copySweep_, queueRuns_, buttons->button(QDialogButtonBox::Cancel) };
    for (qsizetype i = 1; i < order.size(); ++i) setTabOrder(order[i - 1], order[i]);
    // Only now, as a part of the dialog: before, Enter in a field would press whatever button comes first.
    queueRuns_->setDefault(true);
}

std::vector<SweepAxis> SeveralRuns::axes() const
{
    std::vector<SweepAxis> all;
    for (const auto& axis : { first_, second_ })
        if (const auto key = axis.key->currentData().toString(); !key.isEmpty())
            all.push_back(SweepAxis::of(key.toStdString(), axis.values->text().toStdString()));
    return all;
}

void SeveralRuns::judge()
{
    soon_.stop();
    plan_.reset();
    QStringList names;
    try {
        auto plan = planSweep(severalName_->text().trimmed().toStdString(), axes(), severalSeeds_->value(),
            [this](const SweepValues& values) { return draft_.configWith(values); });
        const auto all = plan.runs.size();
        std::erase_if(plan.runs, [this](const PlannedRun& run) {
            return plannedState(run, folder_ / run.name).todo != PlannedState::Todo::Begin;
        });
        double tokens = 0;
        for (const auto& run : plan.runs) {
            names << fromUtf8(run.name);
            tokens += run.config.training.totalTokens();
        }
        auto text = plan.runs.empty() ? tr("All of these runs are there already.")
                                      : counted(wholeNumber(tokens), tr("%1 token in all."), tr("%1 tokens in all."))
                                            .arg(formatCount(wholeNumber(tokens)));
        if (!plan.runs.empty() && plan.runs.size() < all)
            text +=
                counted(std::int64_t(all - plan.runs.size()), tr(" %1 of %2 runs is there already and stays as it is."),
                    tr(" %1 of %2 runs are there already and stay as they are."))
                    .arg(formatCount(std::int64_t(all - plan.runs.size())), formatCount(std::int64_t(all)));
        for (const auto& note : plan.notes) text += QLatin1Char('\n') + singleLine(fromUtf8(note));
        say(text, false);
        if (!plan.runs.empty()) plan_ = std::move(plan);
    } catch (const std::exception& error) {
        say(errorLine(error), true);
    }
    severalList_->setPlainText(names.join(QLatin1Char('\n')));
    queueRuns_->setEnabled(plan_.has_value());
    queueRuns_->setText(names.isEmpty() ? tr("Queue")
            : names.size() == 1         ? tr("Queue 1 run")
                                        : tr("Queue %1 runs").arg(names.size()));
    copySweep_->setEnabled(plan_.has_value());
}

void SeveralRuns::queue()
{
    judge(); // the last letter may be newer than the last look
    if (!plan_) return;
    if (const auto problem = toQueue_(*plan_); !problem.isEmpty()) return say(problem, true); // to be mended here
    accept();
}

void SeveralRuns::say(const QString& text, bool wrong)
{
    severalMessage_->setText(text);
    setRole(severalMessage_, wrong ? "error" : "muted");
}

QString SeveralRuns::command() const
{
    auto words = QStringLiteral("pha sweep --name ") + shellQuoted(severalName_->text().trimmed());
    words += draft_.command().mid(QStringLiteral("pha train").size());
    for (const auto& axis : { first_, second_ })
        if (const auto key = axis.key->currentData().toString(); !key.isEmpty())
            words += QStringLiteral(" --grid ") + shellQuoted(key + QLatin1Char('=') + axis.values->text().trimmed());
    return words + QStringLiteral(" --seeds %1").arg(severalSeeds_->value());
}

} // namespace pha::ui
