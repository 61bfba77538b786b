// SPDX-License-Identifier: GPL-3.0-or-later
// The panel Inspect with a run of three layers, and what stands in it.
#pragma once

#include "tests/gui/panel_fixture.h"
#include "ui/controls/token_view.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/map_view.h"

#include <QComboBox>
#include <QPlainTextEdit>
#include <QTabWidget>
#include <QTest>

#include <cmath>

namespace pha::test {

struct InspectFixture : PanelFixture<ui::InspectPanel> {
    static inline const QString sentence = QStringLiteral("Mara took the copper key to the harbour"); ///< eight tokens

    InspectFixture()
    {
        config_.model.layers = 3;
        config_.training.samplePrompt = sentence.toStdString();
        writeFakeRun(run_, config_, "run");
    }
    void open()
    {
        openSession();
        openPanel(1000, 700);
    }
    void lookAtSentence()
    {
        panel_->setSession(session_.get());
        panel_->look();
        QTRY_COMPARE(text()->tokens().size(), qsizetype(8));
        QTRY_VERIFY(!button("inspectStop")->isEnabled());
    }
    /// From the ground: how strong a colour is.
    static int distance(const QColor& colour)
    {
        const auto ground = ui::Theme::instance().colours().surface;
        return colour.isValid() ? std::abs(qGray(colour.rgb()) - qGray(ground.rgb())) : 0;
    }
    QString message() const { return label("inspectMessage")->text(); }
    QPlainTextEdit* prompt() const { return find<QPlainTextEdit>("inspectPrompt"); }
    QComboBox* tint() const { return find<QComboBox>("inspectTint"); }
    QTabWidget* tabs() const { return find<QTabWidget>("inspectTabs"); }
    QComboBox* reachOf() const { return find<QComboBox>("inspectReachOf"); }
    ui::TokenView* text() const { return find<ui::TokenView>("inspectText"); }
    ui::MapGrid* grid() const { return panel_->findChild<ui::MapGrid*>(); }
    ui::MapView* map() const { return panel_->findChild<ui::MapView*>(); }
    std::vector<LookOptions> asked() const { return scripted(&Script::looks); }
};

} // namespace pha::test
