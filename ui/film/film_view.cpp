// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/film/film_view.h"

#include "ui/charts/mixing_bars.h"
#include "ui/charts/time_plot.h"
#include "ui/controls/controls.h"
#include "ui/controls/folding_splitter.h"
#include "ui/controls/token_view.h"
#include "ui/film/film_slider.h"
#include "ui/format.h"
#include "ui/inspect/look_legend.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>

namespace pha::ui {

namespace {

QComboBox* filmChoice(
    QWidget* parent, const char* name, const QString& what, const QString& tip, const QStringList& entries)
{
    auto* box = new QComboBox(parent);
    box->setObjectName(QLatin1String(name));
    box->addItems(entries);
    box->setToolTip(plainToolTip(tip));
    box->setAccessibleName(what);
    return box;
}

} // namespace

FilmView::FilmView(QWidget* panel)
{
    pages = new QStackedWidget(panel);
    empty = emptyPage(pages);
    empty.text->setObjectName(QStringLiteral("filmEmpty"));
    pages->addWidget(empty.page);
    auto* film = new QWidget(pages);
    auto* layout = new QVBoxLayout(film);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    layout->addWidget(buildControls());
    auto* columns = new FoldingSplitter(film, "filmColumns");
    columns->addWidget(buildText());
    auto* side = splitter(Qt::Vertical, columns, "filmSide");
    side->addWidget(buildMix());
    buildCurve();
    side->addWidget(curve);
    side->setStretchFactor(0, 3);
    side->setStretchFactor(1, 2);
    columns->addWidget(side);
    columns->setStretchFactor(0, 3);
    columns->setStretchFactor(1, 2);
    columns->setWidths({ 440, 320 });
    layout->addWidget(columns, 1);
    pages->addWidget(film);
    auto* outer = new QVBoxLayout(panel);
    outer->setContentsMargins(10, 10, 10, 10);
    outer->addWidget(pages);
}

QWidget* FilmView::buildControls()
{
    auto* frame = new QFrame(pages);
    auto* layout = card(frame);
    play = toolButton(frame, "filmPlay", {}, tr("Play the film from here, or pause it (Space)"));
    play->setIcon(icon(QStringLiteral("play")));
    slider = new FilmSlider(frame);
    slider->setObjectName(QStringLiteral("filmSlider"));
    slider->setAccessibleName(tr("Moment of the training"));
    slider->setToolTip(plainToolTip(tr("Goes through the samples: Left and Right step, Home and End jump. At the end "
                                       "the newest sample is shown as it comes.")));
    now = label(frame, {}, "heading");
    now->setObjectName(QStringLiteral("filmNow"));
    speed = filmChoice(
        frame, "filmSpeed", tr("Speed"), tr("How fast the film plays"), { tr("Slow"), tr("Normal"), tr("Fast") });
    speed->setCurrentIndex(1);
    auto* row = new QHBoxLayout;
    row->addWidget(play);
    row->addWidget(slider, 1);
    row->addWidget(now);
    row->addWidget(speed);
    layout->addLayout(row);
    figures = new ElidedLabel(frame, {}, "muted");
    figures->setObjectName(QStringLiteral("filmFigures"));
    layout->addWidget(figures);
    return frame;
}

QWidget* FilmView::buildText()
{
    auto* frame = new QFrame(pages);
    auto* layout = card(frame);
    tint = filmChoice(frame, "filmTint", tr("Colours of the tokens"),
        tr("What the colour behind each token shows: how probable the network found it, how far it was from what the "
           "network expected, or how undecided the network was."),
        { tr("Probability"), tr("Surprise"), tr("Entropy"), tr("No colours") });
    text = new TokenView(frame);
    text->setObjectName(QStringLiteral("filmText"));
    text->setAccessibleName(tr("Prompt and sample"));
    enlargeText(text);
    tintLegend = new TintLegend(&text->tint(), frame);
    auto* head = new QHBoxLayout;
    head->addWidget(label(frame, tr("Sample"), "heading"));
    head->addStretch();
    head->addWidget(tintLegend);
    head->addWidget(tint);
    layout->addLayout(head);
    layout->addWidget(text, 1);
    copy = pushButton(frame, "filmCopy", tr("&Copy text"), tr("Copy prompt and sample of this moment"), "flat");
    copy->setIcon(icon(QStringLiteral("copy")));
    save = pushButton(frame, "filmSave", tr("&Save film\u2026"),
        tr("Save all samples as one page for any browser (.html), or as a table (.csv)"));
    save->setIcon(icon(QStringLiteral("save")));
    message = new MessageLabel(frame, "filmMessage");
    auto* row = new QHBoxLayout;
    row->addWidget(message, 1);
    row->addWidget(copy);
    row->addWidget(save);
    layout->addLayout(row);
    return frame;
}

QWidget* FilmView::buildMix()
{
    auto* frame = new QFrame(pages);
    auto* layout = card(frame);
    mixTitle = label(frame, {}, "heading");
    mixTitle->setObjectName(QStringLiteral("filmMixTitle"));
    mixLegend = new LookLegend(frame);
    bars = new MixingBars(frame);
    bars->setObjectName(QStringLiteral("filmBars"));
    layout->addWidget(mixTitle);
    layout->addWidget(mixLegend);
    layout->addWidget(bars, 1);
    return frame;
}

void FilmView::buildCurve()
{
    curve = new TimePlot(QStringLiteral("filmCurve"), tr("Validation loss"), ValueKind::Loss);
    curve->setMinimumSize(180, 130);
    valid = curve->addSeries({ tr("valid"), SeriesStyle::Points, [](const Colours& c) { return c.valid; }, -1, true });
}

} // namespace pha::ui
