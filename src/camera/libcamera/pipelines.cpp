/*
 * The names of the pipeline handlers that are linked in. libcamera registers them by static initializers, which a
 * static link can lose; so it is them that are asked, and not what the build was told.
 */
#include <string>

#include "libcamera/internal/pipeline_handler.h"

extern "C" const char *picam_pipelines()
{
	static const std::string names = [] {
		std::string list;
		for (const auto *factory : libcamera::PipelineHandlerFactoryBase::factories())
			list += factory->name() + ' ';
		return list;
	}();
	return names.c_str();
}
