// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/look/theme.h"

#include <QObject>
#include <QTimer>

#include <filesystem>
#include <functional>
#include <vector>

namespace pha::ui {

class MainWindow;

/// Takes pictures of every panel in light and dark, as a reviewer or a manual needs them: opens the runs, waits until
/// they are read, lets the evaluation and the playground work, and saves. Ends with pictures at twice the scale, made
/// by a second process.
class Screenshots : public QObject {
    Q_OBJECT

public:
    Screenshots(MainWindow& window, const std::vector<std::filesystem::path>& runs, std::filesystem::path folder);

Q_SIGNALS:
    void finished(bool good);

private:
    struct Shot {
        std::function<void()> prepare;
        std::function<bool()> ready;
        QString name;
    };
    void plan();
    void planRuns(Theme::Mode mode, const QString& suffix);
    void planModels(bool work, const QString& suffix); ///< what is written and evaluated with a network
    void planInside(bool work, const QString& suffix); ///< what the network does on a text
    void planFamily(const std::filesystem::path& run, bool work, const QString& suffix);
    void planMachine(bool work, const QString& suffix);
    void planWindow(const QString& suffix);
    void add(const QString& name, std::function<void()> prepare, std::function<bool()> ready);
    void next();
    void save();
    void atTwiceTheScale();

    MainWindow& window_;
    const std::vector<std::filesystem::path> runs_;
    const std::filesystem::path folder_;
    std::vector<Shot> shots_;
    std::size_t at_ = 0;
    int waited_ = 0; ///< ticks for the shot at hand
    bool good_ = true;
    QTimer tick_;
};

} // namespace pha::ui
