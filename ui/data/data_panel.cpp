// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/data_panel.h"

#include "engine/data/corpus.h"
#include "ui/data/data_view.h"
#include "ui/data/data_worker.h"
#include "ui/data/piece_editor.h"
#include "ui/format.h"
#include "ui/panels/figure_tile.h"
#include "ui/panels/panel_keys.h"

#include <QDragEnterEvent>
#include <QFileInfo>
#include <QKeyEvent>
#include <QLabel>
#include <QListWidget>
#include <QMimeData>
#include <QProgressBar>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QTableWidget>
#include <QToolButton>

#include <map>

namespace pha::ui {

namespace {

constexpr auto textsKey = "data/texts";
constexpr int textsKept = 30;
constexpr int rowsShown = 2000; ///< of the table of pieces
const QString unknown = QStringLiteral("\u2013");

} // namespace

class DataPanel::Private {
public:
    Private(DataPanel* panel, Dialogs* boxes);
    void connectControls();
    void connectWorker();

    QListWidgetItem* item(const QString& text) const;
    QListWidgetItem* addItem(const QString& text, bool builtin);
    void remember() const;
    void select();
    void show(const TextLook& look);
    void show(const PreparedData& data);
    void show(const CutText& cut);
    void showProgress(const ProgressEvent& e);
    void showState();
    void cut();
    QString text() const; ///< the selected corpus, empty if none
    bool builtin() const;

    DataPanel* q;
    Dialogs* dialogs;
    QObject guard; ///< what connections to this object live as long as
    DataView v;
    std::map<std::pair<QString, int>, PreparedData> ready; ///< by corpus and vocabulary
    std::map<QString, TextLook> looks;
    std::shared_ptr<const Tokenizer> tokenizer; ///< that the text below is cut with
    bool seen = false; ///< the panel was shown: only then is anything read
    DataWorker worker; ///< last: stops before the rest goes
};

DataPanel::Private::Private(DataPanel* panel, Dialogs* boxes)
    : q(panel)
    , dialogs(boxes)
    , v(panel)
{
    v.vocabulary->setValue(int(DataConfig().vocabSize));
    for (const auto& corpus : builtinCorpora()) addItem(fromUtf8(corpus.name), true);
    for (const auto& known : QSettings().value(QLatin1String(textsKey)).toStringList()) addItem(known, false);
    v.corpora->setCurrentRow(0);
    connectControls();
    connectWorker();
    select();
}

void DataPanel::Private::connectControls()
{
    connect(v.corpora, &QListWidget::currentRowChanged, &guard, [this] { select(); });
    connect(v.addFile, &QToolButton::clicked, &guard, [this] {
        const auto file =
            dialogs->openFile(q, tr("Text to train on"), tr("Text (*.txt *.raw *.jsonl *.gz *.zst);;All files (*)"));
        if (!file.isEmpty()) q->add(toPath(file));
    });
    connect(v.addFolder, &QToolButton::clicked, &guard, [this] {
        const auto folder = dialogs->openFolder(q, tr("Folder of texts"));
        if (!folder.isEmpty()) q->add(toPath(folder));
    });
    connect(v.remove, &QToolButton::clicked, &guard, [this] {
        if (builtin()) return;
        delete v.corpora->takeItem(v.corpora->currentRow());
        remember();
    });
    connect(v.train, &QPushButton::clicked, q, &DataPanel::train);
    connect(v.stop, &QPushButton::clicked, q, &DataPanel::stop);
    connect(v.use, &QPushButton::clicked, &guard, [this] { Q_EMIT q->useRequested(text(), v.vocabulary->value()); });
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
        looks[text()] = look;
        show(look);
        v.showMessage({}, "small");
    });
    connect(&worker, &DataWorker::prepared, &guard, [this](const PreparedData& data) {
        ready[{ text(), v.vocabulary->value() }] = data;
        show(data);
        v.showMessage(
            tr("The tokenizer is trained and the text is cut; a run with these settings starts at once."), "good");
        showState();
    });
    connect(&worker, &DataWorker::cutDone, &guard, [this](const CutText& done) { show(done); });
    connect(&worker, &DataWorker::failed, &guard, [this](const QString& text) { v.showMessage(text, "error"); });
}

QString DataPanel::Private::text() const
{
    const auto* row = v.corpora->currentItem();
    return row ? row->data(Qt::UserRole).toString() : QString();
}

bool DataPanel::Private::builtin() const
{
    const auto* row = v.corpora->currentItem();
    return !row || row->data(Qt::UserRole + 1).toBool();
}

QListWidgetItem* DataPanel::Private::item(const QString& wanted) const
{
    for (int i = 0; i < v.corpora->count(); ++i)
        if (v.corpora->item(i)->data(Qt::UserRole).toString() == wanted) return v.corpora->item(i);
    return nullptr;
}

QListWidgetItem* DataPanel::Private::addItem(const QString& added, bool own)
{
    const auto name = QFileInfo(added).fileName();
    auto* row = new QListWidgetItem(own || name.isEmpty() ? added : name, v.corpora);
    row->setData(Qt::UserRole, added);
    row->setData(Qt::UserRole + 1, own);
    row->setToolTip(plainToolTip(added));
    return row;
}

void DataPanel::Private::remember() const
{
    QStringList own;
    for (int i = 0; i < v.corpora->count(); ++i)
        if (const auto* row = v.corpora->item(i); !row->data(Qt::UserRole + 1).toBool())
            own << row->data(Qt::UserRole).toString();
    QSettings().setValue(QLatin1String(textsKey), own.mid(std::max<qsizetype>(0, own.size() - textsKept)));
}

/// Another text or another vocabulary: shows what is known of it, and reads it if it has not been read.
void DataPanel::Private::select()
{
    worker.stop();
    const auto chosen = text();
    v.title->setText(chosen.isEmpty() ? tr("No text is selected") : chosen);
    v.title->setToolTip(plainToolTip(chosen));
    v.about->clear();
    v.beginning->clear();
    for (auto* tile : { v.size, v.words, v.tokens, v.ratio }) tile->set(unknown, QStringLiteral(" "));
    v.showMessage({}, "small");
    tokenizer.reset();
    v.editor->clearPieces();
    v.table->setRowCount(0);
    v.cutFigures->clear();
    for (const auto& corpus : builtinCorpora())
        if (builtin() && fromUtf8(corpus.name) == chosen) v.about->setText(fromUtf8(corpus.summary));
    if (const auto look = looks.find(chosen); look != looks.end())
        show(look->second);
    else if (!builtin() && seen)
        worker.look(toPath(chosen));
    if (const auto made = ready.find({ chosen, v.vocabulary->value() }); made != ready.end())
        show(made->second);
    else if (builtin())
        v.beginning->setPlaceholderText(tr("Train the tokenizer to see the first lines."));
    showState();
}

void DataPanel::Private::show(const TextLook& look)
{
    v.size->set(formatBytes(double(look.bytes)), tr("%1 lines").arg(formatCount(look.lines)));
    v.words->set(formatCompact(double(look.words)),
        look.words > 0 ? tr("%1 bytes each").arg(formatNumber(double(look.bytes) / double(look.words), 3)) : QString());
    QStringList parts { look.files == 1 ? tr("One file") : tr("%1 files").arg(formatCount(look.files)) };
    if (look.repairs > 0) parts << tr("%1 places were no UTF-8 and are repaired").arg(formatCount(look.repairs));
    v.about->setText(parts.join(QStringLiteral("; ")));
    v.beginning->setPlainText(look.beginning);
}

void DataPanel::Private::show(const PreparedData& data)
{
    tokenizer = data.tokenizer;
    v.tokens->set(formatCompact(double(data.train)),
        tr("to validate %1, to test %2").arg(formatCompact(double(data.valid)), formatCompact(double(data.test))));
    v.ratio->set(formatFixed(data.bytesPerToken, 2), tr("%1 tokens per word").arg(formatFixed(data.tokensPerWord, 2)));
    if (builtin()) {
        v.about->setText(data.description);
        v.beginning->setPlainText(data.sample);
    }
    if (v.editor->toPlainText().isEmpty())
        v.editor->setPlainText(data.sample.left(280)); // something to look at; textChanged cuts it
    else
        cut();
}

void DataPanel::Private::show(const CutText& done)
{
    v.editor->showPieces(done);
    const auto n = std::min<int>(int(done.pieces.size()), rowsShown);
    v.table->setRowCount(n);
    for (int r = 0; r < n; ++r) {
        const auto& piece = done.pieces[r];
        const QStringList cells { QString::number(r + 1), describePiece(piece).section(QStringLiteral("  id "), 0, 0),
            QString::number(piece.id), QString::number(piece.bytes.size()) };
        for (int column = 0; column < 4; ++column) {
            auto* known = v.table->item(r, column);
            if (!known) {
                known = new QTableWidgetItem;
                known->setTextAlignment((column == 1 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
                v.table->setItem(r, column, known);
            }
            known->setText(cells[column]);
        }
    }
    const auto bytes = done.text.toUtf8().size();
    const auto text = done.pieces.isEmpty() ? QString()
                                            : tr("%1 pieces \u00b7 %2 bytes \u00b7 %3 bytes per token")
                                                  .arg(formatCount(done.pieces.size()), formatCount(bytes),
                                                      formatFixed(double(bytes) / double(done.pieces.size()), 2));
    v.cutFigures->setText(v.editor->toPlainText().size() > PieceEditor::most
            ? tr("%1 \u00b7 the first %2 characters").arg(text, formatCount(PieceEditor::most))
            : text);
}

void DataPanel::Private::cut()
{
    if (tokenizer) worker.cut(tokenizer, v.editor->toPlainText().left(PieceEditor::most));
}

void DataPanel::Private::showProgress(const ProgressEvent& e)
{
    v.bar->setRange(0, e.total > 0 ? 1000 : 0);
    if (e.total > 0) v.bar->setValue(int(1000 * e.done / e.total));
    v.showMessage(fromUtf8(e.what) + QChar(0x2026), "small");
}

void DataPanel::Private::showState()
{
    const bool busy = worker.busy(), any = !text().isEmpty();
    v.train->setEnabled(any && !busy);
    v.train->setText(tokenizer ? tr("&Train again") : tr("&Train tokenizer"));
    v.stop->setEnabled(busy);
    v.use->setEnabled(any);
    v.remove->setEnabled(any && !builtin());
    v.bar->setVisible(busy);
    v.editor->setPlaceholderText(
        tokenizer ? tr("Type a text.") : tr("Train the tokenizer above; then type here to see how it cuts a text."));
}

DataPanel::DataPanel(Dialogs* dialogs, QWidget* parent)
    : QWidget(parent)
{
    setObjectName(QStringLiteral("dataPanel"));
    setAccessibleName(tr("Data"));
    setAcceptDrops(true);
    d_ = std::make_unique<Private>(this, dialogs);
}

DataPanel::~DataPanel() = default;

void DataPanel::add(const std::filesystem::path& given)
{
    const auto text = fromPath(std::filesystem::absolute(given).lexically_normal());
    d_->seen = true;
    auto* row = d_->item(text);
    if (!row) row = d_->addItem(text, false);
    d_->remember();
    if (d_->v.corpora->currentItem() == row) return d_->select();
    d_->v.corpora->setCurrentItem(row);
}

void DataPanel::train()
{
    if (d_->text().isEmpty() || d_->worker.busy()) return;
    DataConfig config;
    config.data = d_->text().toStdString();
    config.vocabSize = d_->v.vocabulary->value();
    d_->v.bar->setRange(0, 0);
    d_->v.showMessage(tr("Reading the text\u2026"), "small");
    d_->worker.prepare(config);
}

void DataPanel::stop()
{
    if (!d_->worker.busy()) return;
    d_->worker.stop();
    d_->v.showMessage(tr("Stopped."), "small");
}

QString DataPanel::selected() const { return d_->text(); }
bool DataPanel::shutDown(std::chrono::milliseconds patience) { return d_->worker.shutDown(patience); }

bool DataPanel::event(QEvent* event) { return claimPanelKey(event, d_ && d_->worker.busy()) || QWidget::event(event); }

void DataPanel::keyPressEvent(QKeyEvent* event)
{
    if (isRunKey(*event))
        train();
    else if (event->key() == Qt::Key_Escape && d_->worker.busy())
        stop();
    else
        QWidget::keyPressEvent(event);
}

void DataPanel::dragEnterEvent(QDragEnterEvent* event)
{
    const auto urls = event->mimeData()->urls();
    if (!urls.isEmpty() && urls.first().isLocalFile()) event->acceptProposedAction();
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
        && static_cast<QDropEvent*>(event)->mimeData()->hasUrls();
    if (!files) return QWidget::eventFilter(watched, event);
    event->type() == QEvent::Drop ? dropEvent(static_cast<QDropEvent*>(event))
                                  : static_cast<QDropEvent*>(event)->acceptProposedAction();
    return true;
}

void DataPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    if (std::exchange(d_->seen, true)) return;
    if (!d_->builtin() && !d_->worker.busy()) d_->select();
}

} // namespace pha::ui
