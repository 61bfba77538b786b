// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/download_page.h"

#include "ui/controls/controls.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QClipboard>
#include <QDesktopServices>
#include <QDir>
#include <QFormLayout>
#include <QFrame>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QUrl>
#include <QVBoxLayout>

namespace pha::ui {

namespace {

QLabel* fact(QWidget* parent, const char* name)
{
    auto* made = label(parent, {}, nullptr);
    made->setObjectName(QLatin1String(name));
    made->setWordWrap(true);
    made->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    return made;
}

} // namespace

DownloadPage::DownloadPage(QWidget* parent)
    : QWidget(parent)
{
    setObjectName(QStringLiteral("downloadPage"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(10);
    layout->addWidget(buildAbout());
    layout->addWidget(buildByHand());
    layout->addStretch(1);
}

QWidget* DownloadPage::buildAbout()
{
    auto* frame = new QFrame(this);
    auto* layout = card(frame);
    title_ = label(frame, {}, "title");
    title_->setObjectName(QStringLiteral("downloadTitle"));
    about_ = label(frame, {}, "muted");
    about_->setWordWrap(true);
    auto* facts = new QFormLayout;
    facts->setHorizontalSpacing(16);
    facts->setVerticalSpacing(6);
    size_ = fact(frame, "downloadSize");
    licence_ = fact(frame, "downloadLicence");
    checksum_ = fact(frame, "downloadChecksum");
    homepage_ = fact(frame, "downloadHomepage");
    for (const auto& [name, value] : { std::pair(tr("Size"), size_), std::pair(tr("Licence"), licence_),
             std::pair(tr("Checksum"), checksum_), std::pair(tr("Home page"), homepage_) }) {
        facts->addRow(label(frame, name, "muted"), value);
        value->setAccessibleName(name);
    }
    download_ = pushButton(frame, "downloadStart", tr("&Download"),
        tr("Downloads the file over TLS and checks it (Ctrl+Enter). What has arrived is kept if it breaks off."),
        "primary");
    download_->setIcon(iconOnAccent(QStringLiteral("save")));
    pause_ = pushButton(
        frame, "downloadPause", tr("&Pause"), tr("Stop here and keep what has arrived; another time it goes on (Esc)"));
    pause_->setIcon(icon(QStringLiteral("pause")));
    cancel_ = pushButton(frame, "downloadCancel", tr("&Cancel"), tr("Stop and remove what has arrived"));
    cancel_->setIcon(icon(QStringLiteral("close")));
    bar_ = new QProgressBar(frame);
    bar_->setObjectName(QStringLiteral("downloadProgress"));
    bar_->setAccessibleName(tr("Progress of the download"));
    bar_->setTextVisible(false);
    auto policy = bar_->sizePolicy();
    policy.setRetainSizeWhenHidden(true); // nothing jumps
    bar_->setSizePolicy(policy);
    message_ = label(frame, {}, "small");
    message_->setObjectName(QStringLiteral("downloadMessage"));
    message_->setWordWrap(true);
    message_->setMinimumHeight(2 * message_->fontMetrics().height());
    message_->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    message_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    connect(download_, &QPushButton::clicked, this, &DownloadPage::downloadRequested);
    connect(pause_, &QPushButton::clicked, this, &DownloadPage::pauseRequested);
    connect(cancel_, &QPushButton::clicked, this, &DownloadPage::cancelRequested);
    auto* buttons = new QHBoxLayout;
    for (auto* button : { download_, pause_, cancel_ }) buttons->addWidget(button);
    buttons->addStretch(1);
    layout->addWidget(title_);
    layout->addWidget(about_);
    layout->addLayout(facts);
    layout->addSpacing(4);
    layout->addLayout(buttons);
    layout->addWidget(bar_);
    layout->addWidget(message_);
    return frame;
}

QLineEdit* DownloadPage::placeLine(const char* name, const QString& what, const QString& tip)
{
    auto* line = new QLineEdit(this);
    line->setObjectName(QLatin1String(name));
    line->setAccessibleName(what);
    line->setToolTip(tip);
    line->setReadOnly(true);
    return line;
}

QWidget* DownloadPage::buildByHand()
{
    auto* frame = new QFrame(this);
    auto* layout = card(frame);
    byHand_ = label(frame, {}, "small");
    byHand_->setObjectName(QStringLiteral("downloadByHand"));
    byHand_->setWordWrap(true);
    address_ = placeLine("downloadAddress", tr("Address of the file"), tr("Where the file is on the net"));
    place_ = placeLine("downloadPlace", tr("Place of the file"), tr("Where this program looks for the file"));
    copyAddress_ =
        pushButton(frame, "downloadCopyAddress", tr("Copy &address"), tr("Copy the address for a browser or curl"));
    openFolder_ = pushButton(
        frame, "downloadOpenFolder", tr("Open &folder"), tr("Make the folder if it is missing, and open it"));
    connect(
        copyAddress_, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(address_->text()); });
    connect(openFolder_, &QPushButton::clicked, this, [this] {
        const auto folder = fromPath(toPath(place_->text()).parent_path());
        if (QDir().mkpath(folder)) QDesktopServices::openUrl(QUrl::fromLocalFile(folder));
    });
    auto* grid = new QGridLayout;
    grid->setHorizontalSpacing(10);
    grid->addWidget(caption(frame, tr("F&rom"), address_), 0, 0);
    grid->addWidget(address_, 0, 1);
    grid->addWidget(copyAddress_, 0, 2);
    grid->addWidget(caption(frame, tr("T&o"), place_), 1, 0);
    grid->addWidget(place_, 1, 1);
    grid->addWidget(openFolder_, 1, 2);
    layout->addWidget(label(frame, tr("By hand"), "heading"));
    layout->addWidget(byHand_);
    layout->addLayout(grid);
    return frame;
}

void DownloadPage::display(const CatalogueEntry& entry, const Downloads::State& s)
{
    using Phase = Downloads::Phase;
    title_->setText(fromUtf8(entry.title));
    about_->setText(fromUtf8(entry.about));
    size_->setText(entry.bytes > 0 ? tr("%1 (%2 bytes)").arg(formatBytes(double(entry.bytes)), formatCount(entry.bytes))
                                   : tr("not known"));
    licence_->setText(fromUtf8(entry.licence));
    const auto sha256 = fromUtf8(entry.sha256);
    checksum_->setText(sha256.isEmpty() ? tr("not known, so the download will be unverified")
                                        : QStringLiteral("SHA-256 %1\u2026%2").arg(sha256.left(16), sha256.right(16)));
    checksum_->setToolTip(sha256);
    setRole(checksum_, entry.sha256.empty() ? "warning" : "small");
    homepage_->setText(fromUtf8(entry.homepage));
    byHand_->setText(tr("Nothing is downloaded unless you press the button. You may as well fetch %1 some other way "
                        "and put it at its place; it is taken from there as soon as you come back to this window.")
                         .arg(fromUtf8(entry.file)));
    address_->setText(fromUtf8(entry.addresses.front()));
    address_->setCursorPosition(0);
    place_->setText(fromPath(catalogueFile(entry)));
    place_->setToolTip(plainToolTip(tr("Where this program looks for the file") + QLatin1Char('\n') + place_->text()));

    const bool going = s.phase == Phase::Running || s.phase == Phase::Waiting;
    const bool begun = s.phase == Phase::Paused && s.done > 0;
    download_->setText(begun  ? tr("&Resume")
            : entry.bytes > 0 ? tr("&Download %1").arg(formatBytes(double(entry.bytes)))
                              : tr("&Download"));
    download_->setEnabled(!going);
    pause_->setEnabled(going);
    cancel_->setEnabled(going || s.phase == Phase::Paused);
    const bool unknown = going && (s.checking || s.phase == Phase::Waiting || s.total <= 0);
    bar_->setVisible(going || begun);
    bar_->setRange(0, unknown ? 0 : 1000);
    bar_->setValue(s.total > 0 ? int(1000 * s.done / s.total) : 0);
    setRole(message_, s.problem.isEmpty() ? "small" : "error");
    const auto progress = describeProgress(s);
    message_->setText(!s.problem.isEmpty() ? s.problem
            : s.phase == Phase::Waiting    ? tr("Waiting for its turn\u2026")
            : s.checking                   ? tr("Checking the file\u2026")
            : s.phase == Phase::Running    ? progress
            : begun                        ? tr("Paused at %1.").arg(progress)
                                           : QString());
    message_->setToolTip(plainToolTip(message_->text()));
}

} // namespace pha::ui
