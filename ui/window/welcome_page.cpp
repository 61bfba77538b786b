// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/welcome_page.h"

#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QAction>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

namespace pha::ui {

WelcomePage::WelcomePage(QAction* runDemo, QAction* newRun, QAction* openRun, QWidget* parent)
    : QWidget(parent)
{
    setObjectName(QStringLiteral("welcomePage"));
    auto* sign = new QLabel;
    sign->setPixmap(applicationIcon().pixmap(64, 64));
    sign->setAlignment(Qt::AlignCenter);
    auto* title = new QLabel(tr("Watch a hybrid language model learn"));
    title->setAlignment(Qt::AlignCenter);
    setRole(title, "hero");
    auto* text =
        new QLabel(tr("Three branches \u2013 a gated state space, attention and a feed-forward network \u2013 work "
                      "side by side, and every layer learns how much to trust each. The demo trains a small "
                      "one on built-in stories: curves, mixing weights and text appear within seconds. "
                      "Nothing is downloaded."));
    text->setAlignment(Qt::AlignCenter);
    text->setWordWrap(true);
    setRole(text, "muted");
    auto* demoButton = new QPushButton(tr("Run the demo"));
    demoButton->setObjectName(QStringLiteral("demoButton"));
    demoButton->setIcon(iconOnAccent(QStringLiteral("play")));
    demoButton->setToolTip(runDemo->toolTip());
    demoButton->setAccessibleName(tr("Run the demo"));
    setRole(demoButton, "hero");
    demoButton->setAutoDefault(true);
    setFocusProxy(demoButton);
    const auto link = [](QAction* action, const QString& words, const QString& id) {
        auto* button = new QPushButton(action->icon(), words);
        button->setObjectName(id);
        button->setToolTip(action->toolTip());
        setRole(button, "flat");
        button->setAutoDefault(true); // Enter presses it, too
        QObject::connect(button, &QPushButton::clicked, action, &QAction::trigger);
        return button;
    };
    connect(demoButton, &QPushButton::clicked, runDemo, &QAction::trigger);
    connect(runDemo, &QAction::changed, demoButton,
        [runDemo, demoButton] { demoButton->setEnabled(runDemo->isEnabled()); });

    auto* links = new QHBoxLayout;
    links->addStretch(1);
    links->addWidget(link(newRun, tr("Set up a run of your own"), QStringLiteral("welcomeNew")));
    links->addWidget(link(openRun, tr("Open a run directory"), QStringLiteral("welcomeOpen")));
    links->addStretch(1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(24, 24, 24, 24);
    layout->setSpacing(14);
    layout->addStretch(2);
    layout->addWidget(sign);
    layout->addWidget(title);
    auto* paragraph = new QHBoxLayout; // not an alignment: that would leave the wrapped text too low
    paragraph->addStretch(1);
    paragraph->addWidget(text, 4);
    paragraph->addStretch(1);
    layout->addLayout(paragraph);
    layout->addSpacing(6);
    layout->addWidget(demoButton, 0, Qt::AlignHCenter);
    layout->addLayout(links);
    layout->addStretch(3);
}

} // namespace pha::ui
