// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_scanner.h"

#include "ui/work/worker_thread.h"

#include <QCoreApplication>
#include <QPointer>
#include <QThreadPool>

#include <algorithm>
#include <iterator>

namespace pha::ui {

namespace {

constexpr std::size_t batchSize = 64;

/// `problem`: why the folder cannot be listed.
std::set<fs::path> runDirectories(const fs::path& folder, const std::vector<fs::path>& others, QString& problem)
{
    std::set<fs::path> found;
    problem = failureOf([&] {
        if (!folder.empty()) std::ranges::copy(runsIn(folder), std::inserter(found, found.end()));
    });
    for (const auto& other : others)
        if (std::error_code ignored; fs::exists(other / "run.json", ignored)) found.insert(other);
    return found;
}

} // namespace

RunScanner::RunScanner(QObject* parent)
    : QObject(parent)
{
}

RunScanner::~RunScanner() { *cancel_ = true; }

void RunScanner::scan(const fs::path& folder, const std::vector<fs::path>& others)
{
    if (busy_) return;
    busy_ = true;
    QThreadPool::globalInstance()->start(
        [self = QPointer<RunScanner>(this), looks = looks_, cancel = cancel_, folder, others] {
            // Only the GUI thread can tell whether the scanner is still there; the application outlives the pool.
            const auto tell = [&](auto action) {
                QMetaObject::invokeMethod(
                    qApp,
                    [self, action] {
                        if (self) action(self.data());
                    },
                    Qt::QueuedConnection);
            };
            QString problem;
            auto present = runDirectories(folder, others, problem);
            std::vector<RunSummary> batch;
            const auto send = [&] {
                if (!batch.empty()) tell([batch](RunScanner* s) { Q_EMIT s->found(batch); });
                batch.clear();
            };
            for (const auto& directory : present) {
                if (*cancel) return;
                const auto stamp = stampOf(directory);
                auto& known = (*looks)[directory];
                if (known.stamp == stamp) continue;
                known.stamp = stamp;
                batch.push_back(readSummary(directory, &known.metrics));
                if (batch.size() >= batchSize) send();
            }
            send();
            std::erase_if(*looks, [&](const auto& entry) { return !present.contains(entry.first); });
            tell([present, problem](RunScanner* s) {
                s->busy_ = false;
                Q_EMIT s->finished(present, problem);
            });
        });
}

} // namespace pha::ui
