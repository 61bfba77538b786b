// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/run_times.h"

#include "engine/data/catalogue.h"
#include "engine/data/corpus.h"
#include "engine/data/tokenizer.h"

#include <QCoreApplication>
#include <QPointer>
#include <QThreadPool>

#include <utility>

namespace pha::ui {

namespace {

/// Of the tokenizer that is there already, as the command plans.
std::optional<std::int64_t> knownVocabulary(const DataConfig& data)
{
    try {
        const auto* entry = findInCatalogue(data.data);
        const bool toCome = entry && downloadState(*entry) != DownloadState::Present;
        if (const auto tokenizer = toCome ? Tokenizer::given(data) : Corpus::knownTokenizer(data))
            return tokenizer->size();
    } catch (const std::exception&) { // no such data, or no tokenizer: the run will say so
    }
    return std::nullopt;
}

} // namespace

RunTimes::RunTimes(QObject* parent)
    : QObject(parent)
    , estimate_(std::make_shared<std::optional<TimeEstimate>>())
{
}

RunTimes::~RunTimes() { stop_.request_stop(); }

void RunTimes::look(const fs::path& folder)
{
    folder_ = folder;
    stale_ = true;
    if (config_) ask(*config_);
}

void RunTimes::ask(const RunConfig& config)
{
    config_ = config;
    asked_ = true;
    if (!busy_) answer();
}

void RunTimes::answer()
{
    busy_ = true, asked_ = false;
    QThreadPool::globalInstance()->start(
        [self = QPointer<RunTimes>(this), estimate = estimate_, folder = folder_, config = *config_,
            stale = std::exchange(stale_, false), stop = stop_.get_token()] {
            RunOutlook planned { config.data, knownVocabulary(config.data), std::nullopt };
            try {
                if (*estimate && stale)
                    (*estimate)->look(folder, stop);
                else if (!*estimate && !folder.empty())
                    estimate->emplace(folder, stop);
                if (*estimate && !stop.stop_requested()) planned.basis = (*estimate)->basis(config);
            } catch (const std::exception&) {
                estimate->reset(); // a folder that cannot be read: the list of runs says so
            }
            // Only the GUI thread can tell whether anybody still waits; the application outlives the pool.
            QMetaObject::invokeMethod(
                qApp,
                [self, planned = std::move(planned)] {
                    if (!self) return;
                    self->busy_ = false;
                    Q_EMIT self->answered(planned);
                    if (self && self->asked_) self->answer();
                },
                Qt::QueuedConnection);
        });
}

} // namespace pha::ui
