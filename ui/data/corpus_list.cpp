// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/corpus_list.h"

#include "engine/data/corpus.h"
#include "engine/data/prepare.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QFileInfo>
#include <QSettings>
#include <QSignalBlocker>

namespace pha::ui {

namespace {

constexpr auto textsKey = "data/texts";
constexpr int textsKept = 30;
enum Role { DataRole = Qt::UserRole, KindRole, OwnRole };

} // namespace

CorpusList::CorpusList(std::vector<CatalogueEntry> catalogue, QWidget* parent)
    : QListWidget(parent)
    , catalogue_(std::move(catalogue))
    , texts_(QSettings().value(QLatin1String(textsKey)).toStringList())
    , prepared_(preparedCorpora())
{
    setTextElideMode(Qt::ElideMiddle);
    fill();
    choose(fromUtf8(builtinCorpora().front().name));
    connect(this, &QListWidget::currentRowChanged, this, &CorpusList::choiceChanged);
    connect(&Theme::instance(), &Theme::changed, this, &CorpusList::fill);
}

void CorpusList::fill()
{
    const auto before = chosen().data;
    const QSignalBlocker quiet(this);
    clear();
    using Kind = CorpusChoice::Kind;
    if (!texts_.isEmpty()) {
        addHeading(tr("Your texts"));
        for (const auto& path : texts_) {
            const auto name = QFileInfo(path).fileName();
            const bool prepared = isPreparedCorpus(toPath(path));
            addRow({ prepared ? Kind::Prepared : Kind::Text, path }, name.isEmpty() ? path : name, path, true);
        }
    }
    if (!prepared_.empty()) {
        addHeading(tr("Prepared"));
        for (const auto& corpus : prepared_)
            addRow({ Kind::Prepared, fromUtf8(corpus.name) }, fromUtf8(corpus.name), fromPath(corpus.folder));
    }
    addHeading(tr("Built in"));
    for (const auto& corpus : builtinCorpora())
        addRow({ Kind::Builtin, fromUtf8(corpus.name) }, fromUtf8(corpus.name), fromUtf8(corpus.summary));
    if (!catalogue_.empty()) addHeading(tr("Public, to download"));
    for (const auto& each : catalogue_)
        addRow({ Kind::Public, fromUtf8(each.name) }, fromUtf8(each.name), fromUtf8(each.about));
    for (auto note = notes_.begin(); note != notes_.end(); ++note) showNote(note.key());
    choose(before);
}

void CorpusList::addHeading(const QString& text)
{
    auto* row = new QListWidgetItem(text, this);
    row->setFlags(Qt::NoItemFlags); // the arrow keys pass it by
    row->setForeground(Theme::instance().colours().muted);
    auto bold = font();
    bold.setWeight(QFont::DemiBold);
    row->setFont(bold);
}

void CorpusList::addRow(const CorpusChoice& choice, const QString& shown, const QString& tip, bool own)
{
    auto* row = new QListWidgetItem(shown, this);
    row->setData(DataRole, choice.data);
    row->setData(KindRole, int(choice.kind));
    row->setData(OwnRole, own);
    row->setToolTip(plainToolTip(tip));
}

CorpusChoice CorpusList::chosen() const
{
    const auto* row = currentItem();
    if (!row || !row->data(DataRole).isValid()) return {};
    return { CorpusChoice::Kind(row->data(KindRole).toInt()), row->data(DataRole).toString() };
}

bool CorpusList::choose(const QString& wanted)
{
    for (int i = 0; i < count(); ++i) {
        if (!item(i)->data(DataRole).isValid() || item(i)->data(DataRole).toString() != wanted) continue;
        setCurrentRow(i);
        return true;
    }
    return false;
}

void CorpusList::addText(const QString& path)
{
    if (!texts_.contains(path)) {
        changeTexts([&] {
            if (!texts_.contains(path)) texts_ << path;
        });
        fill();
    }
    if (chosen().data == path)
        Q_EMIT choiceChanged(); // whoever drops it again wants it read again
    else
        choose(path);
}

bool CorpusList::removable() const { return currentItem() && currentItem()->data(OwnRole).toBool(); }

void CorpusList::removeChosen()
{
    if (!removable()) return;
    changeTexts([this, gone = chosen().data] { texts_.removeAll(gone); });
    fill();
    choose(texts_.isEmpty() ? fromUtf8(builtinCorpora().front().name) : texts_.back());
}

void CorpusList::changeTexts(const std::function<void()>& change)
{
    QSettings settings;
    texts_ = settings.value(QLatin1String(textsKey)).toStringList(); // another window may have changed them
    change();
    settings.setValue(QLatin1String(textsKey), texts_.mid(std::max<qsizetype>(0, texts_.size() - textsKept)));
}

void CorpusList::refresh()
{
    auto found = preparedCorpora();
    const auto same = [](const PreparedCorpus& a, const PreparedCorpus& b) { return a.name == b.name; };
    if (std::equal(found.begin(), found.end(), prepared_.begin(), prepared_.end(), same)) return;
    prepared_ = std::move(found);
    const auto before = chosen().data;
    fill();
    if (chosen().data != before) choose(fromUtf8(builtinCorpora().front().name));
}

void CorpusList::setNote(const QString& name, const QString& note)
{
    auto& known = notes_[name];
    if (known == note) return;
    known = note;
    showNote(name);
}

void CorpusList::showNote(const QString& name)
{
    for (int i = 0; i < count(); ++i)
        if (item(i)->data(KindRole).toInt() == int(CorpusChoice::Kind::Public) && item(i)->data(DataRole) == name)
            item(i)->setText(notes_[name].isEmpty() ? name : QStringLiteral("%1 \u00b7 %2").arg(name, notes_[name]));
}

const CatalogueEntry* CorpusList::entry() const
{
    const auto choice = chosen();
    return choice.kind == CorpusChoice::Kind::Public ? entry(choice.data) : nullptr;
}

const CatalogueEntry* CorpusList::entry(const QString& name) const
{
    for (const auto& each : catalogue_)
        if (fromUtf8(each.name) == name) return &each;
    return nullptr;
}

} // namespace pha::ui
