// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/data_panel_private.h"

#include "engine/data/text_input.h"
#include "engine/run/run_directory.h"
#include "ui/controls/controls.h"
#include "ui/controls/panel_keys.h"
#include "ui/data/download_page.h"
#include "ui/data/piece_editor.h"
#include "ui/format.h"
#include "ui/work/capsule_work.h"

#include <QDragEnterEvent>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTableWidget>
#include <QToolButton>

namespace pha::ui {

namespace {

/// Files that may be texts; a run that is one file is for the window.
bool holdsTexts(const QMimeData* data)
{
    const auto urls = data->urls();
    return !urls.isEmpty() && urls.first().isLocalFile() && !CapsuleWork::isCapsule(toPath(urls.first().toLocalFile()));
}

} // namespace

DataPanel::Private::Private(DataPanel* panel, Dialogs* boxes, DataParts parts)
    : q(panel)
    , dialogs(boxes)
    , v(panel, std::move(parts.catalogue))
    , downloads(std::move(parts.fetch))
{
    v.vocabulary->setValue(int(DataConfig().vocabSize));
    connectControls();
    connectWorker();
    connectDownloads();
    select();
}

void DataPanel::Private::connectControls()
{
    connect(v.corpora, &CorpusList::choiceChanged, &guard, [this] { select(); });
    connect(v.addFile, &QToolButton::clicked, &guard, [this] {
        const auto file = dialogs->openFile(q, tr("Text to train on"), textFilter());
        if (!file.isEmpty()) q->add(toPath(file));
    });
    connect(v.addFolder, &QToolButton::clicked, &guard, [this] {
        const auto folder = dialogs->openFolder(q, tr("Folder of texts"));
        if (!folder.isEmpty()) q->add(toPath(folder));
    });
    connect(v.remove, &QToolButton::clicked, v.corpora, &CorpusList::removeChosen);
    connect(v.train, &QPushButton::clicked, q, &DataPanel::run);
    connect(v.stop, &QPushButton::clicked, q, &DataPanel::stop);
    connect(v.use, &QPushButton::clicked, &guard,
        [this] { Q_EMIT q->useRequested(choice().data, v.vocabulary->value(), textField()); });
    connect(v.field, &QLineEdit::editingFinished, &guard, [this] { setTextField(v.field->text().trimmed()); });
    connect(v.vocabulary, &QSpinBox::valueChanged, &guard, [this] { select(); });
    connect(v.editor, &QPlainTextEdit::textChanged, &guard, [this] { cut(); });
    connect(v.editor, &PieceEditor::pieceChanged, &guard, [this](int i) {
        v.piece->setText(i < 0 ? QString() : describePiece(v.editor->pieces().pieces[i]));
        if (i >= 0 && i < v.table->rowCount()) v.table->selectRow(i);
    });
    for (QWidget* target : std::initializer_list<QWidget*> { v.beginning->viewport(), v.editor->viewport() })
        target->installEventFilter(q); // editors would insert a dropped file's name as text
}

void DataPanel::Private::connectWorker()
{
    connect(&worker, &DataWorker::busyChanged, &guard, [this] { showState(); });
    connect(&worker, &DataWorker::progress, &guard, [this](const ProgressEvent& e) { showProgress(e); });
    connect(&worker, &DataWorker::looked, &guard, [this](const TextLook& look) {
        looks[choice().data] = look;
        show(look);
        v.message->say({});
        showState();
    });
    connect(&worker, &DataWorker::prepared, &guard, [this](const PreparedData& data) {
        ready[key()] = data;
        show(data);
        v.message->say(is(CorpusChoice::Kind::Prepared)
                ? tr("It was prepared with this tokenizer; a run on it starts at once.")
                : tr("Trained and cut; a run with these settings starts at once."),
            "good");
        showState();
    });
    connect(&worker, &DataWorker::cutDone, &guard, [this](const CutText& done) { show(done); });
    connect(&worker, &DataWorker::failed, &guard, [this](const QString& text) {
        v.message->say(text, "error");
        unread = looks.find(choice().data) == looks.end();
        showState();
    });
}

void DataPanel::Private::connectDownloads()
{
    const auto chosen = [this](auto act) {
        return [this, act] {
            if (const auto* entry = v.corpora->entry()) (downloads.*act)(*entry);
        };
    };
    connect(v.download, &DownloadPage::downloadRequested, &guard, chosen(&Downloads::start));
    connect(v.download, &DownloadPage::pauseRequested, &guard, chosen(&Downloads::pause));
    connect(v.download, &DownloadPage::cancelRequested, &guard, chosen(&Downloads::cancel));
    connect(v.check, &QPushButton::clicked, &guard, chosen(&Downloads::start));
    connect(&downloads, &Downloads::changed, &guard, [this] { lookAgain(); });
    lookAgain();
}

void DataPanel::Private::select()
{
    worker.stop();
    clear();
    const auto chosen = choice();
    const bool own = chosen.kind == CorpusChoice::Kind::Prepared; // has a tokenizer
    {
        const QSignalBlocker quiet(v.vocabulary);
        if (own && vocabulary == 0) vocabulary = v.vocabulary->value();
        v.vocabulary->setMinimum(own ? 64 : 512); // as small as any may be, and as one that can be trained well
        if (!own && vocabulary > 0) v.vocabulary->setValue(std::exchange(vocabulary, 0));
    }
    showDownload();
    const bool readable = chosen.kind == CorpusChoice::Kind::Text || chosen.kind == CorpusChoice::Kind::Public;
    const auto made = ready.find(key());
    if (const auto look = looks.find(chosen.data); look != looks.end())
        show(look->second);
    else if (readable && seen && !downloading())
        worker.look(
            v.corpora->entry() ? catalogueFile(*v.corpora->entry()) : toPath(chosen.data), textField().toStdString());
    if (made != ready.end())
        show(made->second);
    else if (own && seen)
        q->run(); // opens it, which is quick
    showState();
}

/// A file may have been put at its place, a corpus prepared by the command.
void DataPanel::Private::lookAgain()
{
    v.corpora->refresh();
    const bool before = downloading();
    showDownload();
    if (before != downloading()) select();
}

void DataPanel::Private::cut()
{
    if (tokenizer) worker.cut(tokenizer, v.editor->toPlainText().left(PieceEditor::most));
}

QString DataPanel::Private::textField() const
{
    const auto other = textFields.find(choice().data);
    return other == textFields.end() ? QString::fromLatin1(usualTextField) : other->second;
}

void DataPanel::Private::setTextField(const QString& name)
{
    const auto data = choice().data, before = textField();
    if (name.isEmpty())
        textFields.erase(data);
    else
        textFields[data] = name;
    v.field->setText(textField());
    if (textField() == before) return;
    forget(data); // what is known of it is of another field
    select();
}

void DataPanel::Private::forget(const QString& data)
{
    looks.erase(data);
    std::erase_if(ready, [&](const auto& made) { return made.first.first == data; });
}

CorpusChoice DataPanel::Private::choice() const { return v.corpora->chosen(); }
bool DataPanel::Private::downloading() const { return v.pages->currentIndex() == 1; }

std::pair<QString, int> DataPanel::Private::key() const
{
    return { choice().data, is(CorpusChoice::Kind::Prepared) ? 0 : v.vocabulary->value() };
}

DataPanel::DataPanel(Dialogs* dialogs, QWidget* parent, DataParts parts)
    : QWidget(parent)
{
    setObjectName(QStringLiteral("dataPanel"));
    setAccessibleName(tr("Data"));
    setAcceptDrops(true);
    d_ = std::make_unique<Private>(this, dialogs, std::move(parts));
}

DataPanel::~DataPanel() = default;

void DataPanel::add(const std::filesystem::path& given)
{
    d_->seen = true;
    const auto text = fromPath(wholePath(given)); // "books/" means "books"
    d_->forget(text); // it may have changed since it was read
    d_->v.corpora->addText(text);
}

bool DataPanel::choose(const QString& wanted) { return d_->v.corpora->choose(wanted); }

void DataPanel::run()
{
    if (d_->downloading()) {
        if (const auto* entry = d_->v.corpora->entry()) d_->downloads.start(*entry);
        return;
    }
    if (d_->choice().data.isEmpty() || d_->worker.busy()) return;
    DataConfig config;
    config.data = d_->choice().data.toStdString();
    config.vocabSize = d_->v.vocabulary->value();
    config.textField = d_->textField().toStdString();
    d_->v.bar->setRange(0, 0);
    d_->v.message->say(tr("Reading the text\u2026"));
    d_->worker.prepare(config);
}

void DataPanel::stop()
{
    if (d_->downloading()) {
        if (const auto* entry = d_->v.corpora->entry()) d_->downloads.pause(*entry);
        return;
    }
    if (!d_->worker.busy()) return;
    d_->worker.stop();
    d_->v.message->say(tr("Stopped."));
}

bool DataPanel::busy() const
{
    if (d_->worker.busy() || !d_->downloading()) return d_->worker.busy();
    const auto* entry = d_->v.corpora->entry();
    if (!entry) return false;
    const auto phase = d_->downloads.state(*entry).phase;
    return phase == Downloads::Phase::Waiting || phase == Downloads::Phase::Running;
}

QString DataPanel::selected() const { return d_->choice().data; }

bool DataPanel::shutDown(std::chrono::milliseconds patience)
{
    const bool quiet = d_->downloads.shutDown(patience);
    return d_->worker.shutDown(patience) && quiet;
}

bool DataPanel::event(QEvent* event)
{
    if (event->type() == QEvent::WindowActivate && d_ && d_->seen) d_->lookAgain();
    // Asked for a key only: busy() may look at the disk.
    return claimPanelKey(event, event->type() == QEvent::ShortcutOverride && d_ && busy()) || QWidget::event(event);
}

void DataPanel::keyPressEvent(QKeyEvent* event)
{
    if (isRunKey(*event))
        run();
    else if (event->key() == Qt::Key_Escape && busy())
        stop();
    else
        QWidget::keyPressEvent(event);
}

void DataPanel::dragEnterEvent(QDragEnterEvent* event)
{
    if (holdsTexts(event->mimeData())) event->acceptProposedAction();
}

void DataPanel::dropEvent(QDropEvent* event)
{
    for (const auto& url : event->mimeData()->urls())
        if (url.isLocalFile()) add(toPath(url.toLocalFile()));
    event->acceptProposedAction();
}

bool DataPanel::eventFilter(QObject* watched, QEvent* event)
{
    const bool files =
        (event->type() == QEvent::DragEnter || event->type() == QEvent::DragMove || event->type() == QEvent::Drop)
        && holdsTexts(static_cast<QDropEvent*>(event)->mimeData());
    if (!files) return QWidget::eventFilter(watched, event);
    event->type() == QEvent::Drop ? dropEvent(static_cast<QDropEvent*>(event))
                                  : static_cast<QDropEvent*>(event)->acceptProposedAction();
    return true;
}

void DataPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    const bool first = !std::exchange(d_->seen, true);
    d_->lookAgain();
    if (first && !d_->worker.busy()) d_->select();
}

} // namespace pha::ui
