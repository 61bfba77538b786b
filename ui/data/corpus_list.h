// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/catalogue.h"

#include <QListWidget>
#include <QMap>

#include <functional>
#include <vector>

namespace pha::ui {

/// One corpus that can be chosen.
struct CorpusChoice {
    enum class Kind { None, Builtin, Text, Prepared, Public };
    Kind kind = Kind::None;
    QString data; ///< as the configuration key `data` takes it
};

/// The corpora that there are: the user's own texts (remembered in the settings), prepared ones, the built-in ones and
/// the public ones of the catalogue, each kind under its heading.
class CorpusList : public QListWidget {
    Q_OBJECT

public:
    explicit CorpusList(std::vector<CatalogueEntry> catalogue, QWidget* parent = nullptr);

    CorpusChoice chosen() const;
    bool choose(const QString& wanted); ///< false: it is not in the list
    void addText(const QString& path); ///< and chooses it; a prepared corpus or a text
    bool removable() const;
    void removeChosen();
    void refresh(); ///< looks for prepared corpora and at what is downloaded
    void setNote(const QString& name, const QString& note); ///< of a public corpus, behind its name: "37 %"
    const CatalogueEntry* entry() const; ///< of the chosen public corpus, else null
    const CatalogueEntry* entry(const QString& name) const;
    const std::vector<CatalogueEntry>& catalogue() const { return catalogue_; }

Q_SIGNALS:
    void choiceChanged();

private:
    void fill();
    void addHeading(const QString& text);
    void addRow(const CorpusChoice& choice, const QString& shown, const QString& tip, bool own = false);
    void showNote(const QString& name);
    void changeTexts(const std::function<void()>& change); ///< as they are kept now, and keeps them

    std::vector<CatalogueEntry> catalogue_;
    QStringList texts_; ///< the user's, oldest first
    std::vector<PreparedCorpus> prepared_;
    QMap<QString, QString> notes_;
};

} // namespace pha::ui
