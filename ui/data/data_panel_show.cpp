// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/data_panel_private.h"

#include "engine/data/corpus.h"
#include "ui/controls/controls.h"
#include "ui/controls/figure_tile.h"
#include "ui/data/download_page.h"
#include "ui/data/piece_editor.h"
#include "ui/format.h"

#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTableWidget>
#include <QToolButton>

namespace pha::ui {

namespace {

constexpr int rowsShown = 2000; ///< of the table of pieces
const QString unknown = QStringLiteral("\u2013");

/// What stands behind a public corpus in the list.
QString noteOf(const CatalogueEntry& entry, const Downloads::State& s)
{
    switch (s.phase) {
    case Downloads::Phase::Waiting:
        return DataPanel::tr("waiting");
    case Downloads::Phase::Running:
        return s.total > 0 ? formatPercent(s.done / s.total) : DataPanel::tr("checking");
    case Downloads::Phase::Paused:
        return DataPanel::tr("paused");
    case Downloads::Phase::Present:
        return DataPanel::tr("ready");
    case Downloads::Phase::Absent:
        break;
    }
    return entry.bytes > 0 ? formatBytes(double(entry.bytes)) : QString();
}

} // namespace

void DataPanel::Private::clear()
{
    const auto chosen = choice();
    v.title->setText(chosen.data.isEmpty() ? tr("No text is selected") : chosen.data);
    v.title->setToolTip(plainToolTip(chosen.data));
    v.about->clear();
    v.beginning->clear();
    v.beginning->setPlaceholderText(
        chosen.kind == CorpusChoice::Kind::Builtin ? tr("Train the tokenizer to see the first lines.") : QString());
    for (auto* tile : { v.size, v.words, v.tokens, v.ratio }) tile->set(unknown, QStringLiteral(" "));
    if (chosen.kind == CorpusChoice::Kind::Builtin)
        for (auto* tile : { v.size, v.words }) tile->set(unknown, tr("no file: it is made while it is read"));
    v.message->say({});
    v.field->setText(textField());
    unread = false;
    tokenizer.reset();
    v.editor->clearPieces();
    v.table->setRowCount(0);
    v.cutFigures->clear();
    for (const auto& corpus : builtinCorpora())
        if (chosen.kind == CorpusChoice::Kind::Builtin && fromUtf8(corpus.name) == chosen.data)
            v.about->setText(fromUtf8(corpus.summary));
}

void DataPanel::Private::show(const TextLook& look)
{
    if (look.counted) {
        v.size->set(formatBytes(double(look.bytes)),
            counted(look.lines, tr("%1 line"), tr("%1 lines")).arg(formatCount(look.lines)));
        v.words->set(formatCompact(double(look.words)),
            look.words > 0 ? tr("%1 bytes each").arg(formatNumber(double(look.bytes) / double(look.words), 3))
                           : QString());
    } else {
        v.size->set(formatBytes(double(look.bytes)), tr("as it lies on the disk"));
        v.words->set(unknown, tr("counted in training"));
    }
    QStringList parts { look.files == 1 ? tr("One file") : tr("%1 files").arg(formatCount(look.files)) };
    if (look.repairs > 0)
        parts << counted(
            look.repairs, tr("%1 place was no UTF-8 and is repaired"), tr("%1 places were no UTF-8 and are repaired"))
                     .arg(formatCount(look.repairs));
    if (const auto* entry = v.corpora->entry()) parts << aboutPublic(*entry);
    v.about->setText(parts.join(QStringLiteral("; ")));
    v.beginning->setPlainText(look.beginning);
}

QString DataPanel::Private::aboutPublic(const CatalogueEntry& entry)
{
    const auto verified = downloads.state(entry).verified;
    const auto checked = !verified ? tr("not checked since the start")
        : *verified                ? tr("SHA-256 verified")
                                   : tr("unverified, since no checksum is known");
    return tr("%1; licence: %2").arg(checked, fromUtf8(entry.licence));
}

void DataPanel::Private::show(const PreparedData& data)
{
    tokenizer = data.tokenizer;
    v.tokens->set(formatCompact(double(data.train)),
        tr("to validate %1, to test %2").arg(formatCompact(double(data.valid)), formatCompact(double(data.test))));
    v.ratio->set(formatFixed(data.bytesPerToken, 2), tr("%1 tokens per word").arg(formatFixed(data.tokensPerWord, 2)));
    if (is(CorpusChoice::Kind::Builtin)) {
        v.about->setText(data.description);
        v.beginning->setPlainText(data.sample);
    }
    if (is(CorpusChoice::Kind::Prepared) && data.card) {
        const auto& card = *data.card;
        std::int64_t words = 0;
        for (const auto& split : card.splits) words += split.words;
        v.size->set(formatBytes(double(card.bytes())),
            counted(card.documents(), tr("%1 document"), tr("%1 documents")).arg(formatCount(card.documents())));
        v.words->set(formatCompact(double(words)),
            words > 0 ? tr("%1 bytes each").arg(formatNumber(double(card.bytes()) / double(words), 3)) : QString());
        QStringList parts { tr("Prepared corpus, tokenizer of %1 pieces").arg(formatCount(card.pieces)) };
        if (card.repairs.any()) parts << fromUtf8(card.repairs.text());
        if (!card.note.empty()) parts << fromUtf8(card.note);
        v.about->setText(parts.join(QStringLiteral("; ")));
        v.beginning->setPlainText(data.sample);
        const QSignalBlocker quiet(v.vocabulary);
        v.vocabulary->setValue(int(card.pieces));
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
    const auto text = done.pieces.isEmpty()
        ? QString()
        : tr("%1 \u00b7 %2 \u00b7 %3 bytes per token")
              .arg(counted(done.pieces.size(), tr("%1 piece"), tr("%1 pieces")).arg(formatCount(done.pieces.size())),
                  counted(bytes, tr("%1 byte"), tr("%1 bytes")).arg(formatCount(bytes)),
                  formatFixed(double(bytes) / double(done.pieces.size()), 2));
    v.cutFigures->setText(v.editor->toPlainText().size() > PieceEditor::most
            ? tr("%1 \u00b7 the first %2 characters").arg(text, formatCount(PieceEditor::most))
            : text);
}

void DataPanel::Private::showProgress(const ProgressEvent& e)
{
    v.bar->setRange(0, e.total > 0 ? 1000 : 0);
    if (e.total > 0) v.bar->setValue(int(1000 * e.done / e.total));
    v.message->say(fromUtf8(e.what) + QChar(0x2026));
}

void DataPanel::Private::showState()
{
    const bool busy = worker.busy(), any = !choice().data.isEmpty(), own = is(CorpusChoice::Kind::Prepared);
    v.train->setEnabled(any && !busy && !own);
    v.train->setText(tokenizer && !own ? tr("&Train again") : tr("&Train tokenizer"));
    v.vocabulary->setEnabled(!own);
    v.stop->setEnabled(busy);
    v.use->setEnabled(any && !downloading());
    v.remove->setEnabled(v.corpora->removable());
    v.check->setVisible(is(CorpusChoice::Kind::Public));
    const auto look = looks.find(choice().data);
    const bool fields = is(CorpusChoice::Kind::Text) && (look == looks.end() ? unread : look->second.fields);
    for (auto* w : { static_cast<QWidget*>(v.field), static_cast<QWidget*>(v.fieldCaption) }) w->setVisible(fields);
    v.bar->setVisible(busy);
    v.editor->setPlaceholderText(
        tokenizer ? tr("Type a text.") : tr("Train the tokenizer above; then type here to see how it cuts a text."));
}

/// Notes in the list, and the page of the chosen corpus if its file is not there.
void DataPanel::Private::showDownload()
{
    for (const auto& entry : v.corpora->catalogue())
        v.corpora->setNote(fromUtf8(entry.name), noteOf(entry, downloads.state(entry)));
    const auto* entry = v.corpora->entry();
    const auto state = entry ? downloads.state(*entry) : Downloads::State {};
    const bool missing = entry && state.phase != Downloads::Phase::Present;
    if (missing) v.download->display(*entry, state);
    v.pages->setCurrentIndex(missing ? 1 : 0);
    if (entry && !missing && !state.problem.isEmpty()) v.message->say(state.problem, "error");
}

} // namespace pha::ui
