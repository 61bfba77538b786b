// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_about_editor.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

constexpr int keepAfter = 600; ///< milliseconds without a key

std::vector<std::string> tagsOf(const QString& text)
{
    static const QRegularExpression between(QStringLiteral("[\\s,]+"));
    std::vector<std::string> tags;
    for (const auto& tag : text.split(between, Qt::SkipEmptyParts)) tags.push_back(tag.toStdString());
    return tags;
}

bool contains(const std::vector<std::string>& list, const std::string& one)
{
    return std::find(list.begin(), list.end(), one) != list.end();
}

} // namespace

RunAboutEditor::RunAboutEditor(QWidget* parent)
    : QWidget(parent)
    , aboutTitle_(new QLabel)
    , aboutProblem_(new QLabel)
    , aboutNotes_(new QPlainTextEdit)
    , aboutTags_(new QLineEdit)
{
    setObjectName(QStringLiteral("runAbout"));
    aboutTitle_->setObjectName(QStringLiteral("aboutTitle"));
    aboutTitle_->setTextFormat(Qt::PlainText);
    aboutTitle_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    setRole(aboutTitle_, "small");
    auto* close = new QToolButton;
    close->setObjectName(QStringLiteral("aboutClose"));
    close->setIcon(icon(QStringLiteral("close")));
    close->setIconSize(QSize(12, 12));
    close->setToolTip(tr("Closes the notes (Esc); what you typed is kept"));
    close->setAccessibleName(tr("Close the notes"));

    aboutNotes_->setObjectName(QStringLiteral("aboutNotes"));
    aboutNotes_->setAccessibleName(tr("Notes about the run"));
    aboutNotes_->setPlaceholderText(tr("Why was this run made?"));
    aboutNotes_->setToolTip(tr("Kept as you type, in about.json of the run; Ctrl+Z takes typing back"));
    aboutNotes_->setTabChangesFocus(true);
    aboutNotes_->setFixedHeight(aboutNotes_->fontMetrics().lineSpacing() * 4 + 16);
    aboutTags_->setObjectName(QStringLiteral("aboutTags"));
    aboutTags_->setAccessibleName(tr("Tags of the run"));
    aboutTags_->setPlaceholderText(tr("Tags: wt2, paper"));
    aboutTags_->setToolTip(
        plainToolTip(tr("Words with commas or blanks between them; tag:wt2 in the search finds one")));
    aboutProblem_->setObjectName(QStringLiteral("aboutProblem"));
    aboutProblem_->setTextFormat(Qt::PlainText);
    aboutProblem_->setWordWrap(true);
    aboutProblem_->hide();
    setRole(aboutProblem_, "error");

    auto* head = new QHBoxLayout;
    head->addWidget(aboutTitle_, 1);
    head->addWidget(close);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(4);
    layout->addLayout(head);
    layout->addWidget(aboutNotes_);
    layout->addWidget(aboutTags_);
    layout->addWidget(aboutProblem_);
    setFocusProxy(aboutNotes_);
    for (QWidget* field : { static_cast<QWidget*>(aboutNotes_), static_cast<QWidget*>(aboutTags_) })
        field->installEventFilter(this);

    later_.setSingleShot(true);
    later_.setInterval(keepAfter);
    connect(&later_, &QTimer::timeout, this, &RunAboutEditor::keep);
    connect(aboutNotes_, &QPlainTextEdit::textChanged, &later_, qOverload<>(&QTimer::start));
    connect(aboutTags_, &QLineEdit::editingFinished, this, &RunAboutEditor::keep);
    connect(close, &QToolButton::clicked, this, &RunAboutEditor::closed);
}

void RunAboutEditor::setRun(
    const std::optional<std::filesystem::path>& run, const QString& name, const RunAbout& about, bool waits)
{
    aboutTitle_->setText(!run ? tr("No run is selected")
            : waits           ? tr("%1 waits: notes can be written when it has started").arg(shortened(name))
                              : tr("About %1").arg(shortened(name)));
    if (run != run_) keep();
    for (auto* field : { static_cast<QWidget*>(aboutNotes_), static_cast<QWidget*>(aboutTags_) })
        field->setEnabled(run && !waits);
    if (run == run_) return;
    run_ = run;
    fill(about);
}

void RunAboutEditor::notWritten(const std::filesystem::path& run, const RunAbout& there)
{
    if (run != run_) return;
    known_ = there;
    aboutNotes_->document()->setModified(aboutNotes_->toPlainText().toStdString() != there.notes);
}

void RunAboutEditor::refresh(const std::filesystem::path& run, const RunAbout& about)
{
    if (run != run_ || about == known_ || !typed().empty() || later_.isActive()) return;
    fill(about);
}

void RunAboutEditor::fill(const RunAbout& about)
{
    known_ = about;
    aboutNotes_->setPlainText(fromUtf8(about.notes));
    aboutTags_->setText(fromUtf8(joinList(about.tags)));
    aboutProblem_->hide();
    later_.stop();
}

AboutChange RunAboutEditor::typed() const
{
    AboutChange change;
    if (aboutNotes_->document()->isModified()) change.notes = aboutNotes_->toPlainText().toStdString();
    const auto tags = tagsOf(aboutTags_->text());
    for (const auto& tag : tags)
        if (!contains(known_.tags, tag)) change.addTags.push_back(tag);
    for (const auto& tag : known_.tags)
        if (!contains(tags, tag)) change.removeTags.push_back(tag);
    return change;
}

void RunAboutEditor::keep()
{
    later_.stop();
    if (!run_) return;
    // A tag that cannot be one must not take the notes with it.
    const auto all = typed();
    AboutChange notes, tags;
    notes.notes = all.notes;
    tags.addTags = all.addTags;
    tags.removeTags = all.removeTags;
    const auto run = *run_; // who hears of a change may show another one
    std::vector<AboutChange> kept;
    aboutProblem_->hide();
    for (const auto& change : { notes, tags }) {
        if (change.empty()) continue;
        try {
            auto now = known_;
            change.applyTo(now);
            known_ = now;
            if (change.notes) aboutNotes_->document()->setModified(false); // undo still goes further back
            kept.push_back(change);
        } catch (const Error& problem) {
            aboutProblem_->setText(errorLine(problem));
            aboutProblem_->show();
        }
    }
    for (const auto& change : kept) Q_EMIT changed(run, change);
}

void RunAboutEditor::edit()
{
    show();
    aboutNotes_->setFocus(Qt::ShortcutFocusReason);
    aboutNotes_->moveCursor(QTextCursor::End);
}

void RunAboutEditor::hideEvent(QHideEvent* event)
{
    keep();
    QWidget::hideEvent(event);
}

bool RunAboutEditor::eventFilter(QObject* watched, QEvent* event)
{
    // Escape is also a command of the window: here it closes the editor.
    const bool wanted = event->type() == QEvent::ShortcutOverride || event->type() == QEvent::KeyPress;
    if (wanted && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        if (event->type() == QEvent::KeyPress) Q_EMIT closed();
        event->accept();
        return true;
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace pha::ui
