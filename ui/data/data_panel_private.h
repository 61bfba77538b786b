// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/data/corpus_list.h"
#include "ui/data/data_panel.h"
#include "ui/data/data_view.h"
#include "ui/data/data_worker.h"
#include "ui/data/downloads.h"

#include <QObject>

#include <map>

namespace pha::ui {

/// What the controls of the panel do (data_panel.cpp) and what they show (data_panel_show.cpp).
class DataPanel::Private {
public:
    Private(DataPanel* panel, Dialogs* boxes, DataParts parts);

    // data_panel.cpp
    void connectControls();
    void connectWorker();
    void connectDownloads();
    void select(); ///< another corpus or vocabulary: shows what is known of it, and reads it if it has not been read
    void lookAgain(); ///< at what may have changed behind the program's back
    void cut();

    // data_panel_show.cpp
    void clear();
    void show(const TextLook& look);
    void show(const PreparedData& data);
    void show(const CutText& cut);
    void showDownload();
    void showProgress(const ProgressEvent& e);
    void showState();
    QString aboutPublic(const CatalogueEntry& entry);

    CorpusChoice choice() const;
    bool is(CorpusChoice::Kind kind) const { return choice().kind == kind; }
    QString textField() const; ///< of the chosen text
    void setTextField(const QString& name);
    void forget(const QString& data); ///< what has been read of a text
    bool downloading() const; ///< the page of a download is shown
    std::pair<QString, int> key() const; ///< of what is ready: the corpus and the vocabulary, 0 if it has its own

    DataPanel* q;
    Dialogs* dialogs;
    QObject guard; ///< what connections to this object live as long as
    DataView v;
    std::map<std::pair<QString, int>, PreparedData> ready;
    std::map<QString, TextLook> looks;
    std::map<QString, QString> textFields; ///< where it is not the usual one
    bool unread = false; ///< the chosen text: perhaps for want of another field
    std::shared_ptr<const Tokenizer> tokenizer; ///< that the text below is cut with
    int vocabulary = 0; ///< that the user wants, while a corpus with a tokenizer of its own is shown
    bool seen = false; ///< the panel was shown: only then is anything read
    Downloads downloads;
    DataWorker worker; ///< last: stops before the rest goes
};

} // namespace pha::ui
