// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_frame.h"

#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/redraw_queue.h"

#include <QBuffer>
#include <QContextMenuEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QLabel>
#include <QMenu>
#include <QMessageBox>
#include <QPageSize>
#include <QPainter>
#include <QPdfWriter>
#include <QSaveFile>
#include <QSvgGenerator>
#include <QVBoxLayout>

#include <utility>

namespace pha::ui {

namespace {

ChartFrame::FileChooser& fileChooser()
{
    static ChartFrame::FileChooser chooser = [](QWidget* parent, const QString& title, const QString& suggestion) {
        return QFileDialog::getSaveFileName(parent, title, suggestion,
            ChartFrame::tr("Picture (*.png);;Vector picture (*.svg);;PDF document (*.pdf);;Figures (*.csv)"));
    };
    return chooser;
}

} // namespace

ChartFrame::ChartFrame(const QString& name, const QString& title, QWidget* parent)
    : Card(parent)
    , header_(new ChartHeader(this))
    , plot_(new QCustomPlot(this))
    , empty_(new QLabel(plot_))
{
    setObjectName(name);
    setFocusPolicy(Qt::StrongFocus);
    plot_->setObjectName(name + QStringLiteral("Plot"));
    plot_->setFocusPolicy(Qt::NoFocus); // the frame has the focus and the keys
    plot_->setMouseTracking(true);
    plot_->setContextMenuPolicy(Qt::CustomContextMenu); // it hands no event of the mouse on
    connect(plot_, &QWidget::customContextMenuRequested, this,
        [this](const QPoint& at) { openMenu(plot_->mapToGlobal(at)); });
    plot_->setMinimumSize(80, 60);
    plot_->setPlottingHints(QCP::phFastPolylines | QCP::phCacheLabels);
    plot_->setNoAntialiasingOnDrag(false);
    empty_->setAlignment(Qt::AlignCenter);
    empty_->setWordWrap(true);
    empty_->setAttribute(Qt::WA_TransparentForMouseEvents);
    empty_->hide();

    auto* top = new QHBoxLayout;
    top->setContentsMargins(10, 0, 8, 0);
    top->setSpacing(8);
    top->addWidget(header_, 1);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(2, 4, 2, 2);
    layout->setSpacing(0);
    layout->addLayout(top);
    layout->addWidget(plot_, 1);
    setTitle(title);
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        applyTheme();
        header_->update();
        requestRedraw();
    });
}

ChartFrame::~ChartFrame() = default;

void ChartFrame::setTitle(const QString& title)
{
    if (title != header_->title()) refreshTable(); // not whenever it is set: the table would scroll back
    header_->setTitle(title);
    setAccessibleName(tr("Chart: %1").arg(title));
}

void ChartFrame::setHeadline(const QString& headline) { header_->setHeadline(headline); }

void ChartFrame::addHeaderWidget(QWidget* widget)
{
    static_cast<QHBoxLayout*>(layout()->itemAt(0)->layout())->addWidget(widget);
}

void ChartFrame::setTicksOutside(bool subTicks)
{
    for (auto* axis : { plot_->xAxis, plot_->yAxis }) {
        axis->setTickLengthIn(0);
        axis->setTickLengthOut(3);
        axis->setTickLabelPadding(3);
        axis->setSubTicks(subTicks);
    }
}

void ChartFrame::setEmptyText(const QString& text)
{
    if (empty_->text() == text && empty_->isVisibleTo(plot_) == !text.isEmpty()) return;
    empty_->setText(text);
    empty_->setVisible(!text.isEmpty());
    for (auto* axis : { plot_->xAxis, plot_->yAxis }) axis->setVisible(text.isEmpty()); // no scale without values
    requestRedraw();
}

void ChartFrame::applyTheme()
{
    const auto& c = Theme::instance().colours();
    auto small = font();
    small.setPointSizeF(font().pointSizeF() * 0.9);
    plot_->setBackground(QBrush(c.plot));
    for (auto* axis : { plot_->xAxis, plot_->yAxis, plot_->xAxis2, plot_->yAxis2 }) {
        axis->setTickLabelFont(small);
        axis->setLabelFont(small);
        axis->setTickLabelColor(c.muted);
        axis->setLabelColor(c.muted);
        axis->setBasePen(QPen(c.border));
        axis->setTickPen(QPen(c.border));
        axis->setSubTickPen(Qt::NoPen);
        axis->grid()->setPen(QPen(c.grid));
        axis->grid()->setZeroLinePen(QPen(c.grid));
    }
    auto palette = empty_->palette();
    palette.setColor(QPalette::WindowText, c.muted);
    empty_->setPalette(palette);
    update();
}

void ChartFrame::redraw()
{
    if (!isVisible()) { // a hidden chart draws nothing; it remembers that it should
        needsRedraw_ = true;
        return;
    }
    needsRedraw_ = false;
    if (plot_->bufferDevicePixelRatio() != devicePixelRatioF()) plot_->setBufferDevicePixelRatio(devicePixelRatioF());
    plot_->replot(QCustomPlot::rpQueuedRefresh);
}

void ChartFrame::requestRedraw()
{
    if (queue_) {
        queue_->request(this);
    } else if (!requested_) {
        requested_ = true;
        QMetaObject::invokeMethod(
            this,
            [this] {
                requested_ = false;
                redraw();
            },
            Qt::QueuedConnection);
    }
}

void ChartFrame::setRedrawQueue(RedrawQueue* queue) { queue_ = queue; }

ChartTableDialog* ChartFrame::showTable()
{
    if (table_) table_->close(); // its curves may be gone: open it with the present ones
    table_ = new ChartTableDialog(title(), sheets(), this);
    connect(table_, &ChartTableDialog::exportRequested, this, [this] { askAndExport(QStringLiteral("csv")); });
    table_->show();
    return table_;
}

void ChartFrame::refreshTable()
{
    if (!table_ || std::exchange(tableRequested_, true)) return;
    QMetaObject::invokeMethod(
        this,
        [this] {
            tableRequested_ = false;
            if (table_) table_->setSheets(title(), sheets());
        },
        Qt::QueuedConnection);
}

void ChartFrame::paintPicture(QPaintDevice& device, double scale) const
{
    const int headerHeight = header_->sizeHint().height() + 6;
    QCPPainter painter;
    if (!painter.begin(&device)) return;
    painter.setMode(QCPPainter::pmVectorized);
    painter.setMode(QCPPainter::pmNoCaching);
    painter.scale(scale, scale);
    painter.fillRect(QRect(0, 0, plot_->width(), plot_->height() + headerHeight), Theme::instance().colours().plot);
    header_->draw(painter, QRectF(10, 3, plot_->width() - 20, headerHeight - 6));
    painter.translate(0, headerHeight);
    auto* cursor = plot_->layer(QStringLiteral("cursor")); // belongs to the screen
    if (cursor) cursor->setVisible(false);
    plot_->toPainter(&painter, plot_->width(), plot_->height());
    if (cursor) cursor->setVisible(true);
    painter.end();
}

QByteArray ChartFrame::render(const QString& ending) const
{
    if (ending == QLatin1String("csv")) return chartCsv(sheets());
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    const QSize size(plot_->width(), plot_->height() + header_->sizeHint().height() + 6);
    if (ending == QLatin1String("png")) {
        QImage image(size * 2, QImage::Format_RGB32);
        paintPicture(image, 2);
        image.save(&buffer, "PNG");
    } else if (ending == QLatin1String("svg")) {
        QSvgGenerator generator;
        generator.setOutputDevice(&buffer);
        generator.setSize(size);
        generator.setViewBox(QRect(QPoint(), size));
        generator.setTitle(title());
        generator.setResolution(logicalDpiX());
        paintPicture(generator, 1);
    } else {
        QPdfWriter writer(&buffer);
        writer.setTitle(title());
        writer.setCreator(QStringLiteral("PHA Studio"));
        writer.setResolution(logicalDpiX()); // text keeps its size relative to the curves
        writer.setPageSize(QPageSize(QSizeF(size) * 72. / logicalDpiX(), QPageSize::Point));
        writer.setPageMargins(QMarginsF());
        paintPicture(writer, 1);
    }
    buffer.close();
    return bytes;
}

bool ChartFrame::exportTo(const QString& file, QString& problem)
{
    const auto ending = QFileInfo(file).suffix().toLower();
    static const QStringList endings { QStringLiteral("png"), QStringLiteral("svg"), QStringLiteral("pdf"),
        QStringLiteral("csv") };
    if (!endings.contains(ending)) {
        problem = tr("%1: the name must end in .png, .svg, .pdf or .csv").arg(file);
        return false;
    }
    const auto bytes = render(ending);
    QSaveFile out(file);
    if (bytes.isEmpty() || !out.open(QIODevice::WriteOnly) || out.write(bytes) != bytes.size() || !out.commit()) {
        problem = tr("%1 cannot be written: %2")
                      .arg(file, bytes.isEmpty() ? tr("the chart could not be drawn") : out.errorString());
        return false;
    }
    return true;
}

void ChartFrame::askAndExport(const QString& ending)
{
    const auto file = fileChooser()(this, tr("Export chart"), objectName() + QLatin1Char('.') + ending);
    QString problem;
    if (file.isEmpty() || exportTo(file, problem)) return;
    auto* box = new QMessageBox(QMessageBox::NoIcon, tr("Export chart"), problem, QMessageBox::Ok, this);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->open(); // not exec(): curves go on behind it
}

void ChartFrame::setFileChooser(FileChooser chooser) { fileChooser() = std::move(chooser); }

void ChartFrame::fillMenu(QMenu& menu)
{
    menu.addAction(tr("Show &data table"), this, &ChartFrame::showTable)->setObjectName(QStringLiteral("showTable"));
    auto* save = menu.addMenu(tr("&Export"));
    const auto add = [&](const QString& text, const char* ending) {
        save->addAction(text, this, [this, ending] { askAndExport(QLatin1String(ending)); })
            ->setObjectName(QStringLiteral("export_") + QLatin1String(ending));
    };
    add(tr("&PNG picture…"), "png");
    add(tr("&SVG picture…"), "svg");
    add(tr("P&DF document…"), "pdf");
    add(tr("&CSV figures…"), "csv");
}

void ChartFrame::contextMenuEvent(QContextMenuEvent* event)
{
    // The menu key reports the pointer's place, which may be anywhere: open where the chart is.
    openMenu(event->reason() == QContextMenuEvent::Keyboard ? mapToGlobal(rect().center()) : event->globalPos());
    event->accept();
}

void ChartFrame::openMenu(const QPoint& at)
{
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("chartMenu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    fillMenu(*menu);
    menu->popup(at);
}

void ChartFrame::resizeEvent(QResizeEvent* event)
{
    Card::resizeEvent(event);
    layout()->activate();
    empty_->setGeometry(plot_->rect().adjusted(24, 8, -24, -8));
    requestRedraw(); // another size has room for another number of labels
}

void ChartFrame::showEvent(QShowEvent* event)
{
    Card::showEvent(event);
    if (needsRedraw_) redraw();
}

} // namespace pha::ui
